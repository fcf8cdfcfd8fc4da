"""The published versions and the labels that name some of them, in a folder or at an address."""
