"""Serves a published model over gRPC."""
