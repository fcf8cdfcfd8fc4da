"""Challenges: anyone may predict the ratings of held-out members, and a leaderboard shows the scores."""
