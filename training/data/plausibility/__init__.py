"""Checks whether values that can be read can also mean what they say."""
