"""The store of published versions and of labels that point to some of them, in a folder or at a remote address."""
