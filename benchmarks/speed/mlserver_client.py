"""Asks MLServer, run by MLServer's own environment: writes its request, or checks that it answers as it should."""

import json
import sys
from pathlib import Path

import grpc
import numpy as np
from mlserver.grpc import dataplane_pb2 as pb
from mlserver.grpc import dataplane_pb2_grpc as pb_grpc

MODEL = "trees"


def message(features: np.ndarray, raw: bool) -> bytes:
    """A ModelInferRequest of the Open Inference Protocol for (N, F) ready features, as raw bytes or as numbers."""
    tensor = {"name": "features", "datatype": "FP32", "shape": features.shape}
    if raw:
        request = pb.ModelInferRequest(
            model_name=MODEL,
            inputs=[pb.ModelInferRequest.InferInputTensor(**tensor)],
            raw_input_contents=[features.tobytes()],
        )
    else:
        contents = pb.InferTensorContents(fp32_contents=features.reshape(-1).tolist())
        request = pb.ModelInferRequest(
            model_name=MODEL, inputs=[pb.ModelInferRequest.InferInputTensor(**tensor, contents=contents)]
        )
    return request.SerializeToString()


def main(features: Path, out: Path, raw: bool, port: int) -> None:
    """Write the request, and beside it what the server answers, as a JSON list of numbers."""
    out.write_bytes(message(np.load(features, allow_pickle=False), raw))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = pb_grpc.GRPCInferenceServiceStub(channel)
        answer = stub.ModelInfer(pb.ModelInferRequest.FromString(out.read_bytes()), wait_for_ready=True, timeout=60)
    [output] = answer.outputs
    ratings = list(output.contents.fp64_contents) or np.frombuffer(answer.raw_output_contents[0]).tolist()
    print(json.dumps(ratings))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "raw", int(sys.argv[4]))
