"""Commands other than serving: `doctor` and `token`."""
