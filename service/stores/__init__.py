"""Storage beside the model: members in Redis, and the log of outcomes."""
