"""Admission control: which calls compute now, which wait, and which are refused."""
