"""What operators see: metrics, logs, traces and drift."""
