"""The gRPC server: everything between the network port and the model."""
