"""Drift of requests away from the population that the model was trained on."""
