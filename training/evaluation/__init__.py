"""The evaluation: out-of-fold predictions of raters, as if they had never rated, scored beside baselines."""
