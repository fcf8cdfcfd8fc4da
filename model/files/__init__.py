"""Safe reading of files that aren't trusted, such as those of a version, and atomic writing of files and folders."""
