"""The model: predictions for a member and movies from what is known of them, and the files that it is stored in."""
