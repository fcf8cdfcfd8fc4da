"""Reads TLS certificates and checks that they can be used, before they are passed to gRPC."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from service.errors import CertificateError
from service.settings import Settings, flag


@dataclass(frozen=True)
class Certificates:
    """Contents of the files for TLS: the server's certificate, its key and the clients' authorities."""

    chain: bytes
    """Certificate chain of the server, from its own certificate up to its authority, PEM."""
    key: bytes
    """Private key of the server, PEM."""
    client_ca: bytes | None
    """Authorities that must have issued the clients' certificates, PEM; None if clients need no certificate."""


@dataclass(frozen=True)
class CertificateFiles:
    """Paths of the files for TLS: the server's certificate, its key and the clients' authorities."""

    chain: Path
    """Certificate chain of the server."""
    key: Path
    """Private key of the server."""
    client_ca: Path | None
    """Authorities of the clients' certificates; None if clients need no certificate."""

    @classmethod
    def of(cls, settings: Settings) -> "CertificateFiles | None":
        """Return the paths of the files for TLS in the settings; None if TLS is off."""
        if settings.tls_cert is None or settings.tls_key is None:
            return None
        return cls(settings.tls_cert, settings.tls_key, settings.tls_client_ca)

    def read(self) -> Certificates:
        """Read the files without checking their content. Raises CertificateError if a file can't be read."""
        chain, key = _read("tls_cert", self.chain), _read("tls_key", self.key)
        return Certificates(chain, key, _read("tls_client_ca", self.client_ca) if self.client_ca else None)

    def check(self, content: Certificates) -> Certificates:
        """Check and return the content of the files.

        Raises CertificateError if a file is invalid, if certificate and key don't match, or if a file has changed since
        it was read.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.chain, self.key, password="")  # prevents a password prompt on the terminal
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
