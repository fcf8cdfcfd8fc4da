"""Decodes request messages into what the model takes, and encodes predictions as responses."""
