"""The guard: compares the current version with the one before on recorded outcomes, and goes back if it is worse."""
