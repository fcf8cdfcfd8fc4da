"""The store of versions (published models), in a folder or remote, and of labels that point to some of them."""
