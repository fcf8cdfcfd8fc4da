"""`python -m service.probe`: a container health check that exits with 0 if the server reports SERVING, else with 1.

It runs on the same machine as the server, with the same environment. Over TLS, it trusts only the server's own
certificate, which it also presents as its client certificate. It is started every few seconds, so it saves time by not
importing the settings.
"""

import argparse
import os
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from model.exit_codes import ExitCode, ending_quietly

ENJOYMENT_SERVICE = "coldstart.v1.EnjoymentService"
PORT, PORT_VARIABLE = "50051", "COLDSTART_PORT"
TLS_OPTIONS = (
    ("--tls-cert", "COLDSTART_TLS_CERT", "the server's certificate; without it, no TLS"),
    ("--tls-key", "COLDSTART_TLS_KEY", "its key"),
)
"""Option, environment variable and help text of each TLS file."""


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Check the server's health once, print the status and return the exit code."""
    options = _parser(environment).parse_args(arguments)
    try:
        with _channel(options.address, options.tls_cert, options.tls_key, options.timeout_seconds) as channel:
            status = ask(channel, options.service, options.timeout_seconds)
    except OSError as error:
        status = f"no TLS: {error}"
    print(status)
    return ExitCode.DONE if status == "SERVING" else ExitCode.FAILED


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m service.probe", description="Ask a server for its health.")
    parser.add_argument(
        "--address",
        default=f"127.0.0.1:{environment.get(PORT_VARIABLE, PORT)}",
        help=f"host:port of the server [default: this machine, ${PORT_VARIABLE}]",
    )
    parser.add_argument(
        "--service",
        default=ENJOYMENT_SERVICE,
        help='service whose health is checked; "" checks the server itself [default: %(default)s]',
    )
    for option, variable, meaning in TLS_OPTIONS:
        parser.add_argument(
            option,
            type=Path,
            default=environment.get(variable),
            help=f"PEM file of {meaning} [default: ${variable}]",
        )
    parser.add_argument("--timeout-seconds", type=float, default=3.0, help="maximum wait in seconds [default: 3]")
    return parser


def ask(channel: grpc.Channel, service: str, timeout_seconds: float) -> str:
    """Return the health status of a gRPC service, such as SERVING, or the name of the status code if the call fails."""
    try:
        request = health_pb2.HealthCheckRequest(service=service)
        response = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_seconds)  # type: ignore[attr-defined]
    except grpc.RpcError as error:
        return str(error.code().name)
    return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)


def _channel(address: str, cert: Path | None, key: Path | None, timeout_seconds: float) -> grpc.Channel:
    """Return a channel to the server, over TLS if `cert` is given.

    Raises OSError if a file can't be read or if the server presents a different certificate.
    """
    if cert is None:
        return grpc.insecure_channel(address)
    pair = (key.read_bytes(), cert.read_bytes()) if key is not None else (None, None)
    credentials = grpc.ssl_channel_credentials(cert.read_bytes(), *pair)
    name = _certificate_name(address, cert, timeout_seconds)
    return grpc.secure_channel(address, credentials, [("grpc.ssl_target_name_override", name)])


def _certificate_name(address: str, cert: Path, timeout_seconds: float) -> str:
    """Return a name in the server's certificate, for verification, since the certificate may not cover the address.

    Raises OSError if the server presents a different certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cert)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # trust the certificate itself, whoever signed it
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    target = (host.strip("[]"), int(port))
    with socket.create_connection(target, timeout_seconds) as plain, context.wrap_socket(plain) as secured:
        certificate = secured.getpeercert() or {}
    names = [str(value) for _, value in certificate.get("subjectAltName", ())]  # type: ignore[str-unpack] # pairs
    return names[0].replace("*", "any") if names else host


if __name__ == "__main__":
    sys.exit(ending_quietly(lambda: main(sys.argv[1:], os.environ)))
