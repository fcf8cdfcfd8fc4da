"""`python -m benchmarks.speed.echo RESPONSE LOOP`: a server of our messages whose handler does nothing.

It shows what gRPC alone can do, on the event loop `asyncio` or `uvloop`.
"""

# ruff: noqa: ARG002, N802 # the methods are those of the contract

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import grpc
import uvloop

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc


class Echo(pb_grpc.EnjoymentServiceServicer):
    """Parses each request, does nothing with it, and answers with the same response each time."""

    def __init__(self, response: pb.PredictEnjoymentResponse) -> None:
        self._response = response

    async def PredictEnjoyment(self, request: pb.PredictEnjoymentRequest, context: Any) -> pb.PredictEnjoymentResponse:
        """The ready response, which gRPC makes bytes of each time."""
        return self._response


async def main(response: Path) -> None:
    """Serve until the process is ended."""
    server = grpc.aio.server()
    servicer = Echo(pb.PredictEnjoymentResponse.FromString(response.read_bytes()))
    pb_grpc.add_EnjoymentServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"port": port}), flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    run = {"asyncio": asyncio.run, "uvloop": uvloop.run}[sys.argv[2]]
    run(main(Path(sys.argv[1])))
