"""Admission control: decides which calls run now, which wait, and which are refused."""
