"""The models that serve: loaded, followed as labels move, and compared."""
