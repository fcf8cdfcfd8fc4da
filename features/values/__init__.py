"""From raw cells, fields and entries to typed values."""
