"""The job: makes a model of a data directory, evaluates it and publishes it."""
