"""The gRPC server: everything between the port and the model."""
