"""Reads TLS certificates and checks that they can be used, before gRPC sees them."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from service.errors import CertificateError
from service.settings import Settings, flag


@dataclass(frozen=True)
class Certificates:
    """Content of the certificates' files."""

    chain: bytes
    """The server's certificate and those up to its authority, PEM."""
    key: bytes
    """Its private key, PEM."""
    client_ca: bytes | None
    """The authorities whose certificates clients must show, PEM; None to ask for none."""


@dataclass(frozen=True)
class CertificateFiles:
    """Paths of the certificates' files."""

    chain: Path
    """The server's certificate and those up to its authority."""
    key: Path
    """Its private key."""
    client_ca: Path | None
    """Authorities of clients' certificates; None where clients need none."""

    @classmethod
    def of(cls, settings: Settings) -> "CertificateFiles | None":
        """The paths in the settings; None where TLS is off."""
        if settings.tls_cert is None or settings.tls_key is None:
            return None
        return cls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)

    def read(self) -> Certificates:
        """The content now, unchecked; raises CertificateError for a file that can't be read."""
        chain, key = _read("tls_cert", self.chain), _read("tls_key", self.key)
        return Certificates(chain, key, _read("tls_client_ca", self.client_ca) if self.client_ca else None)

    def check(self, content: Certificates) -> Certificates:
        """The content; raises CertificateError unless certificate and key are a pair and the files still hold both."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.chain, self.key, password="")  # else it asks for one on the terminal
        except (ssl.SSLError, OSError, ValueError) as error:
            names = f"{flag('tls_cert')} and {flag('tls_key')}"
            raise CertificateError(f"{names} are no certificate and its key, unencrypted: {_reason(error)}") from error
        try:
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
        except (ssl.SSLError, OSError) as error:
            raise CertificateError(f"{flag('tls_client_ca')} holds no certificates: {_reason(error)}") from error
        if self.read() != content:
            raise CertificateError("the files of the certificate changed while they were read")
        return content


def _read(name: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"can't read the file of {flag(name)}: {error.strerror}") from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or type(error).__name__).lower().replace("_", " ")
