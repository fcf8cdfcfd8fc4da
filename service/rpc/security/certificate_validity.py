"""When TLS certificates are valid."""

from collections.abc import Iterator
from typing import NamedTuple

from cryptography.x509 import Certificate, load_pem_x509_certificates

from service.rpc.security.certificates import Certificates


class Validity(NamedTuple):
    """When a certificate is valid, in seconds since 1970 UTC."""

    file: str
    """Setting that names the file, `tls_cert` or `tls_client_ca`."""
    begin: float
    end: float


def validities(content: Certificates) -> Iterator[Validity]:
    """Yield the validity of the certificate that matters in each file.

    In the server's chain, it is the one that expires first; among the clients' authorities, the one that expires last:
    clients of an authority that is still valid are accepted even if others have expired. Raises ValueError if a
    certificate can't be parsed.
    """
    first = min(load_pem_x509_certificates(content.chain), key=_end)
    yield Validity("tls_cert", first.not_valid_before_utc.timestamp(), _end(first))
    if content.client_ca is not None:
        last = max(load_pem_x509_certificates(content.client_ca), key=_end)
        yield Validity("tls_client_ca", last.not_valid_before_utc.timestamp(), _end(last))


def _end(certificate: Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()
