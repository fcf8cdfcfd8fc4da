"""Challenges: held-out members whose ratings anyone may predict, scored on a leaderboard."""
