"""Files that are read without trust: arrays, manifests, and folders that change in one step."""
