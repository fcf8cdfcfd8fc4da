"""Reading untrusted files, and writing files and folders atomically."""
