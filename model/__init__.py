"""How a prediction is made from features, and how a model is kept in files."""
