"""Whether a new version may serve, judged on raters whom no version learned from."""
