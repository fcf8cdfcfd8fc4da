"""Published versions: written, compared and used offline."""
