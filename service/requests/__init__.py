"""Decoding of request messages into the model's inputs, and encoding of its predictions as responses."""
