"""The generated code of the contract, `protos/coldstart/v1/enjoyment_service.proto`; `make protos` renews it."""
