"""What is stored outside the model: members' facts in SQLite or Redis, and reported ratings and completions."""
