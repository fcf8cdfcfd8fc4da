"""One version of a model as a folder of files: written by the job, checked before it serves."""
