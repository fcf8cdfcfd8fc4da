"""What the service and its models give away of members, measured; `python -m benchmarks.privacy COMMAND`."""
