"""Certificates that are read again for new connections after their files have changed, unless they can't be used."""

import logging

import grpc

from service.errors import StartError
from service.rpc.security.certificate_validity import validities
from service.rpc.security.certificates import CertificateFiles, Certificates
from service.rpc.security.last_good_file import LastGood
from service.telemetry.logs import log_event
from service.telemetry.metrics.file_metrics import FileMetrics


class LiveCertificates:
    """The last good content of the certificate files. May be used from any thread."""

    def __init__(self, files: CertificateFiles, metrics: FileMetrics) -> None:
        """Read the files. Raises CertificateError if they can't be used.

        Args:
            files: Paths of the files.
            metrics: Counts the initial content and each change, and shows until when the certificates are valid.
        """
        self._metrics = metrics
        self._files = LastGood(files.read, files.check, self._loaded, self._refused)
        self._configured = self._files.value
        self._show(self._configured)

    def credentials(self) -> grpc.ServerCredentials:
        """Return credentials of a server that uses the last good content for each new connection."""
        content = self._files.value
        return grpc.dynamic_ssl_server_credentials(
            _configuration(content),
            self._changed_configuration,  # type: ignore[arg-type] # the stubs lack None, which means no change
            require_client_authentication=content.client_ca is not None,
        )

    async def follow(self, interval_seconds: float) -> None:
        """Check for changes forever, so that changes are reported even if no client connects."""
        await self._files.follow(interval_seconds)

    def _loaded(self, content: Certificates) -> None:
        self._show(content)
        log_event(logging.INFO, "certificates_loaded")

    def _refused(self, error: StartError, _: Certificates) -> None:
        self._metrics.certificates_loaded("refused")
        log_event(logging.ERROR, "certificates_not_loaded", reason=str(error))

    def _show(self, content: Certificates) -> None:
        self._metrics.certificates_loaded("loaded")
        try:
            for validity in validities(content):
                self._metrics.certificate_valid(*validity)
        except ValueError as error:  # OpenSSL accepts the file, so that it is used
            log_event(logging.WARNING, "certificate_validity_unknown", error)

    def _changed_configuration(self) -> grpc.ServerCertificateConfiguration | None:
        """Return the changed certificates for gRPC, which asks at each new connection; None if it already has them."""
        content = self._files.look()
        if content is self._configured:
            return None
        self._configured = content
        return _configuration(content)


def _configuration(content: Certificates) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(content.key, content.chain)], root_certificates=content.client_ca
    )
