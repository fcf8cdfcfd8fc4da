"""Fits the LightGBM trees on what the prior leaves over."""
