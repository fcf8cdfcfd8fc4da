"""The gate: decides on raters that no version learned from whether a new version may serve."""
