"""Which calls may compute now, which wait, and which are refused."""
