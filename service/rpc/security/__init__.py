"""TLS certificates, and bearer tokens that say who may call which methods."""
