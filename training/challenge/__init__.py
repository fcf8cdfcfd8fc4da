"""Challenges: contests in which anyone may predict held-out members' ratings; a leaderboard shows the scores."""
