"""Detection of drift: how far requests differ from the raters that the model was trained on."""
