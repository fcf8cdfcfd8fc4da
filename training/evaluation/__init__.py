"""How well held-out raters are predicted as if they never rated, beside simpler predictions."""
