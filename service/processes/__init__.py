"""The supervisor and its worker processes."""
