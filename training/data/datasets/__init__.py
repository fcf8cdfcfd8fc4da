"""Data directories made from MovieLens releases, or generated from a synthetic world with known true enjoyment."""
