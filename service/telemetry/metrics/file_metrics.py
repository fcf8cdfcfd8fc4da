"""Metrics of files that are read again after a change: TLS certificates and tokens."""

from service.telemetry import metric_definitions as definitions
from service.telemetry.metrics.metric_registry import MetricRegistry, by_label

FILE_RESULTS = ("loaded", "refused")
CERTIFICATES, TOKENS = "certificates", "tokens"


class FileMetrics:
    """Metrics of loading the files of certificates and tokens, and of how long certificates are valid."""

    def __init__(self, registry: MetricRegistry) -> None:
        self._certificate_loads = by_label(registry.counter(definitions.CERTIFICATE_LOADS), FILE_RESULTS)
        self._token_loads = by_label(registry.counter(definitions.TOKEN_LOADS), FILE_RESULTS)
        self._behind = by_label(registry.gauge(definitions.FILE_BEHIND), (CERTIFICATES, TOKENS))
        self._begin = registry.gauge(definitions.CERTIFICATE_BEGIN)
        self._end = registry.gauge(definitions.CERTIFICATE_END)

    def certificates_loaded(self, result: str) -> None:
        """Count an attempt to load the certificate files. `result` is one of `FILE_RESULTS`."""
        self._certificate_loads[result].inc()
        self._behind[CERTIFICATES].set(result == "refused")

    def tokens_loaded(self, result: str) -> None:
        """Count an attempt to load a changed token file. `result` is one of `FILE_RESULTS`."""
        self._token_loads[result].inc()
        self._behind[TOKENS].set(result == "refused")

    def certificate_valid(self, file: str, begin: float, end: float) -> None:
        """Set when a certificate in use is valid, in seconds since 1970 UTC. `file` is the setting of its file."""
        self._begin.labels(file).set(begin)
        self._end.labels(file).set(end)
