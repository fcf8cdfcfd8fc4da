"""Reads, checks and writes data directories, and converts their tables to datasets of arrays."""
