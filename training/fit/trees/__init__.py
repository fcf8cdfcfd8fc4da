"""Fits gradient-boosted trees to the residuals of the prior."""
