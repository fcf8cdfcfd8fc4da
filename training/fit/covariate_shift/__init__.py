"""Compares members who never rate with raters, and weights raters by how much they resemble them."""
