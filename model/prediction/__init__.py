"""Predictions from facts about members and movies: ratings, intervals, explanations and rankings."""
