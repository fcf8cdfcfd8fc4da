"""Features of members and movies, each defined once and used by both training and serving."""
