"""`python -m service.probe`: exit code 0 where a server answers SERVING, else 1; for a container's health check.

It runs beside the server, with the same environment: over TLS it trusts only the server's own certificate, and presents
that certificate too where clients must present one. It starts every few seconds, so it doesn't import the settings.
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

from model.exit_codes import ExitCode

ENJOYMENT_SERVICE = "coldstart.v1.EnjoymentService"
PORT, PORT_VARIABLE = "50051", "COLDSTART_PORT"
TLS_OPTIONS = (
    ("--tls-cert", "COLDSTART_TLS_CERT", "the server's certificate; without it, no TLS"),
    ("--tls-key", "COLDSTART_TLS_KEY", "its key"),
)
"""Option, variable and meaning of each file."""


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Ask once, print the status in one word and return the exit code."""
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
        help='service whose health is asked for; "" asks for the server itself [default: %(default)s]',
    )
    for option, variable, meaning in TLS_OPTIONS:
        parser.add_argument(
            option,
            type=Path,
            default=environment.get(variable),
            help=f"PEM file of {meaning} [default: ${variable}]",
        )
    parser.add_argument("--timeout-seconds", type=float, default=3.0, help="how long to wait [default: 3]")
    return parser


def ask(channel: grpc.Channel, service: str, timeout_seconds: float) -> str:
    """The status of a service, or the code of the error where there is none."""
    try:
        request = health_pb2.HealthCheckRequest(service=service)
        response = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_seconds)  # type: ignore[attr-defined]
    except grpc.RpcError as error:
        return str(error.code().name)
    return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)


def _channel(address: str, cert: Path | None, key: Path | None, timeout_seconds: float) -> grpc.Channel:
    """A channel to the server; raises OSError if a file can't be read or the server presents another certificate."""
    if cert is None:
        return grpc.insecure_channel(address)
    pair = (key.read_bytes(), cert.read_bytes()) if key is not None else (None, None)
    credentials = grpc.ssl_channel_credentials(cert.read_bytes(), *pair)
    name = _certificate_name(address, cert, timeout_seconds)
    return grpc.secure_channel(address, credentials, [("grpc.ssl_target_name_override", name)])


def _certificate_name(address: str, cert: Path, timeout_seconds: float) -> str:
    """A name in the server's certificate, which need not cover the address that the probe connects to.

    Raises OSError if the server doesn't present this certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cert)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself is trusted, whoever signed it
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    target = (host.strip("[]"), int(port))
    with socket.create_connection(target, timeout_seconds) as plain, context.wrap_socket(plain) as secured:
        certificate = secured.getpeercert() or {}
    names = [str(value) for _, value in certificate.get("subjectAltName", ())]  # type: ignore[str-unpack] # pairs
    return names[0].replace("*", "any") if names else host


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
