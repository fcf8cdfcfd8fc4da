"""Reads, checks and writes data directories, and turns their tables into datasets of arrays."""
