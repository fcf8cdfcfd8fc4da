"""How far requests are from what the model was trained on."""
