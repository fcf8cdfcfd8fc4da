"""Detection of drift between requests and the population that the model was trained on."""
