"""Publishes versions of the model, loads them, compares them and uses them offline."""
