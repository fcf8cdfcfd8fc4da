"""`python -m service.probe`: exit code 0 where a server answers SERVING, else 1; for a container's health check.

It runs beside the server, with the same environment: over TLS it trusts the server's own certificate alone, and shows
that one too where clients must show any.
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

from service.settings import Settings, flag, variable

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
    for name, what in (("tls_cert", "the server's certificate; without it, no TLS"), ("tls_key", "its key")):
        parser.add_argument(
            flag(name),
            type=Path,
            default=environment.get(variable(name)),
            help=f"PEM file of {what} [default: ${variable(name)}]",
        )
    parser.add_argument("--timeout-seconds", type=float, default=3.0, help="how long to wait [default: 3]")
    told = parser.parse_args(arguments)
    try:
        with _channel(told.address, told.tls_cert, told.tls_key, told.timeout_seconds) as channel:
            status = ask(channel, told.service, told.timeout_seconds)
    except OSError as error:
        status = f"no TLS: {error}"
    print(status)
    return 0 if status == "SERVING" else 1


def ask(channel: grpc.Channel, service: str, timeout_seconds: float) -> str:
    """The status of a service, or the code of the error where there is none."""
    try:
        request = health_pb2.HealthCheckRequest(service=service)
        response = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_seconds)  # type: ignore[attr-defined]
    except grpc.RpcError as error:
        return str(error.code().name)
    return health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)


def _channel(address: str, cert: Path | None, key: Path | None, timeout_seconds: float) -> grpc.Channel:
    """A channel to the server; raises OSError where a file or the server's certificate is not as it should be."""
    if cert is None:
        return grpc.insecure_channel(address)
    shown = (key.read_bytes(), cert.read_bytes()) if key is not None else (None, None)
    credentials = grpc.ssl_channel_credentials(cert.read_bytes(), *shown)
    name = _a_name(address, cert, timeout_seconds)
    return grpc.secure_channel(address, credentials, [("grpc.ssl_target_name_override", name)])


def _a_name(address: str, cert: Path, timeout_seconds: float) -> str:
    """A name that the server's certificate bears, since it needn't bear the address that the probe asks at.

    Raises OSError if it is no server of this certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cert)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself is trusted, whoever made it
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    place = (host.strip("[]"), int(port))
    with socket.create_connection(place, timeout_seconds) as plain, context.wrap_socket(plain) as secured:
        shown = secured.getpeercert() or {}
    names = [str(value) for _, value in shown.get("subjectAltName", ())]  # type: ignore[str-unpack] # pairs
    return names[0].replace("*", "any") if names else host


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
