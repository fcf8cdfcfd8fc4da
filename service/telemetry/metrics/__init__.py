"""All Prometheus metrics of the service."""
