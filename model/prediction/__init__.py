"""From facts to a predicted rating, its interval, its explanation and a ranking."""
