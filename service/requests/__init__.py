"""From request messages to what the model takes, and from its predictions to responses."""
