"""The supervisor, which keeps the service running, and its worker processes, which answer calls."""
