"""The models that serve: loading them, following the labels of the store, canary and shadow."""
