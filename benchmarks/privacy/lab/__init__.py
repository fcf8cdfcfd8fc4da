"""The lab of differential privacy: worlds, a small model of noisy sums, and the accounting of its releases."""
