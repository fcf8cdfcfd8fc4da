"""Forgets members wherever the job keeps something of them, and shows what that is."""
