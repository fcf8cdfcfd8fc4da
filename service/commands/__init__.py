"""Commands besides serving: the doctor and the maker of tokens."""
