"""The gate: decides whether a new version may be served, based on raters that no version was trained on."""
