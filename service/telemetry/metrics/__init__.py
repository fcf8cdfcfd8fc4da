"""Prometheus metrics in groups: calls, answers, models, outcomes, admission and the supervisor."""
