"""Commands beside the server: the doctor, and a maker of tokens."""
