"""Versions (published models): publishes, loads and compares them, and predicts with them without a server."""
