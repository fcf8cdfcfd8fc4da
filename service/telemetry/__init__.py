"""Metrics, logs, traces and drift detection for operators."""
