"""Safe reading of untrusted files, and atomic writing of files and folders."""
