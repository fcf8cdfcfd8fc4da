"""What is stored outside the model: members' attributes and plays in Redis, and reported ratings and completions."""
