"""The model: predictions from facts about members and movies, and the files that a model is stored in."""
