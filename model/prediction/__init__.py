"""Predictions from what is known of members and movies: ratings, intervals, explanations and rankings."""
