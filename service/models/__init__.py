"""The models being served: loads new versions, and tries a candidate on some members or in the background."""
