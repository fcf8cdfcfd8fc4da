"""Reads and checks the tables of a data directory."""
