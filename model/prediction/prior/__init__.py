"""The prior: a factorization of ratings in which a member's taste is predicted from attributes and plays."""
