"""Commands of the training job, one module each."""
