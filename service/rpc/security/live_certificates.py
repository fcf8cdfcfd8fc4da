"""Certificates that gRPC takes anew for each connection once their files have changed; a broken change is not taken."""

import logging
import threading
from collections.abc import Callable

import grpc

from service.errors import CertificateError, CertificateUnreadable
from service.rpc.security.certificates import CertificateFiles, Certificates
from service.telemetry.logs import log_event


class LiveCertificates:
    """The last good content of the certificates' files. May be used from any thread."""

    def __init__(self, files: CertificateFiles, ended: Callable[[str], None]) -> None:
        """Read them; raises CertificateError.

        Args:
            files: Where they are.
            ended: Told "loaded" or "refused" for each content that the files turn out to have.
        """
        self._files = files
        self._ended = ended
        self._lock = threading.Lock()
        self._good = self._given = self._files.read()
        self._files.check(self._good)
        self._seen: Certificates | None = self._good
        self._told: str | None = None
        self._ended("loaded")

    def credentials(self) -> grpc.ServerCredentials:
        """For a server, that uses the newest good content for each new connection."""
        return grpc.dynamic_ssl_server_credentials(
            _configured(self._good),
            self._newer,  # type: ignore[arg-type] # None, for no change, is missing in the stubs
            require_client_authentication=self._good.client_ca is not None,
        )

    def look(self) -> Certificates:
        """The newest good content; tells when it is another one or can't be used."""
        with self._lock:
            try:
                found = self._files.read()
                if found != self._seen:
                    self._seen, self._told = found, None
                    self._files.check(found)
                    self._good = found
                    self._ended("loaded")
                    log_event(logging.INFO, "certificates_loaded")
            except CertificateUnreadable as error:
                self._seen = None
                self._refuse(str(error))
            except CertificateError as error:
                self._refuse(str(error))
            return self._good

    def _refuse(self, reason: str) -> None:
        """Tell once why the files can't be used."""
        if reason != self._told:
            self._told = reason
            self._ended("refused")
            log_event(logging.ERROR, "certificates_not_loaded", reason=reason)

    def _newer(self) -> grpc.ServerCertificateConfiguration | None:
        """What gRPC asks at each connection: the content, unless it is what it got last."""
        found = self.look()
        if found is self._given:
            return None
        self._given = found
        return _configured(found)


def _configured(found: Certificates) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(found.key, found.chain)], root_certificates=found.client_ca)
