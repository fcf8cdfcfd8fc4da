"""Data directories made from MovieLens releases, or drawn from a world with known truth."""
