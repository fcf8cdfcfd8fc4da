"""The models being served: loading, following the labels of the model store, canary and shadow deployment."""
