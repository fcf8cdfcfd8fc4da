"""A version (one published model) as a folder of files, written by training and checked before it is served."""
