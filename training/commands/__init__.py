"""The commands of the job, one module each."""
