"""What operators see: metrics, logs, traces, and drift of requests away from the training data."""
