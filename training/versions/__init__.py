"""Published versions: written, opened, compared and used offline."""
