"""Conversion of table cells, request fields and record entries to typed values: one module for each kind of value."""
