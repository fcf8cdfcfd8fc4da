"""What is known of a member and of a movie, as features: each defined once, for training rows and for requests."""
