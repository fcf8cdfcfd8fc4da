"""Features of members and movies, each defined once for training and serving."""
