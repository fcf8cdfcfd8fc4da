"""The factorization prior: from what is known of a member to its factors."""
