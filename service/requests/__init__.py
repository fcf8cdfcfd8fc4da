"""Decoding of request messages into inputs of the model, and encoding of predictions as responses."""
