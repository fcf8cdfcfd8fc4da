"""The factorization prior, which predicts a member's factors from the facts about the member."""
