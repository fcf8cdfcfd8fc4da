"""Partitions of the members, and passes over partitions."""
