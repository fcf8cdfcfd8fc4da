"""The gRPC server: the way of a call from its arrival to its answer."""
