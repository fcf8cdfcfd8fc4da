"""Hands what is published on to other systems: members, factors and runs."""
