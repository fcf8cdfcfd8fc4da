"""`python -m service.probe`: exit code 0 where a server answers SERVING, else 1; for a container's health check."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.settings import Settings, variable

ENJOYMENT_SERVICE = "coldstart.v1.EnjoymentService"


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Ask once, print the answer in one word and return the exit code."""
    port = environment.get(variable("port"), str(Settings.port))
    parser = argparse.ArgumentParser("python -m service.probe", description="Ask a server for its health.")
    parser.add_argument(
        "--address",
        default=f"127.0.0.1:{port}",
        help="host:port of the server [default: this machine, $COLDSTART_PORT]",
    )
    parser.add_argument(
        "--service",
        default=ENJOYMENT_SERVICE,
        help='the service that should be able to answer; "" asks if the server lives [default: %(default)s]',
    )
    parser.add_argument("--timeout-seconds", type=float, default=3.0, help="how long to wait [default: 3]")
    told = parser.parse_args(arguments)
    status = ask(told.address, told.service, told.timeout_seconds)
    print(status)
    return 0 if status == "SERVING" else 1


def ask(address: str, service: str, timeout_seconds: float) -> str:
    """The status of a service, or the code of the error where there is none."""
    with grpc.insecure_channel(address) as channel:
        try:
            request = health_pb2.HealthCheckRequest(service=service)
            response = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_seconds)  # type: ignore[attr-defined]
        except grpc.RpcError as error:
            return str(error.code().name)
    return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
