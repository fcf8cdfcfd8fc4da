"""Stores of members outside the model, which the service asks and the training fills: a SQLite file, or Redis."""
