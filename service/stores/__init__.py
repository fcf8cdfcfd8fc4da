"""What is kept beside the model: members in a Redis store, and the log of outcomes."""
