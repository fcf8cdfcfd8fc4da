"""Storage outside the model: member records in Redis, and the log of outcomes."""
