"""The contract: its generated code is current, every part of it says what it is, and its numbers stay."""

from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from grpc_tools import protoc

ROOT = Path(__file__).parents[2]
PROTO = "protos/coldstart/v1/enjoyment_service.proto"
PACKAGE = "coldstart_client/v1"
GENERATED = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")

NUMBERS = {
    "Member": {"member_id": 1, "attributes": 2, "plays": 3, "ratings": 4},
    "AttributeValue": {"text": 1, "number": 2, "flag": 3},
    "Play": {"movie_id": 1, "completion": 2, "played_at": 3},
    "Rating": {"movie_id": 1, "rating": 2, "rated_at": 3},
    "PredictEnjoymentRequest": {"member": 1, "movie_ids": 2, "new_movies": 3},
    "PredictEnjoymentResponse": {"predictions": 1, "member_evidence": 2, "model_version": 3, "unused": 4},
    "Prediction": {
        "movie_id": 1,
        "rating": 2,
        "lower": 3,
        "upper": 4,
        "probability_enjoyed": 5,
        "prior_rating": 6,
        "movie_evidence": 7,
        "extrapolation": 8,
        "title": 9,
    },
}
"""What others have built on; a number that changes breaks them."""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The contract's descriptor with its comments."""
    out = tmp_path_factory.mktemp("descriptor") / "set"
    include = f"-I{Path(protoc.__file__).parent / '_proto'}"
    code = protoc.main(["", f"-I{ROOT}", include, "--include_source_info", f"--descriptor_set_out={out}", PROTO])
    assert code == 0
    [file] = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    return file


def parts(file):
    """The name of every part of the contract and where its comment stands."""
    for number, service in enumerate(file.service):
        yield service.name, (6, number)
        for place, method in enumerate(service.method):
            yield f"{service.name}.{method.name}", (6, number, 2, place)
    for number, message in enumerate(file.message_type):
        yield message.name, (4, number)
        for place, field in enumerate(message.field):
            yield f"{message.name}.{field.name}", (4, number, 2, place)
        for place, oneof in enumerate(message.oneof_decl):
            if not oneof.name.startswith("_"):  # made by the compiler for an optional field
                yield f"{message.name}.{oneof.name}", (4, number, 8, place)
    for number, enum in enumerate(file.enum_type):
        yield enum.name, (5, number)
        for place, value in enumerate(enum.value):
            yield f"{enum.name}.{value.name}", (5, number, 2, place)


def test_the_generated_code_is_current(tmp_path):
    include = f"-I{Path(protoc.__file__).parent / '_proto'}"
    outputs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    proto = ROOT / PROTO
    assert protoc.main(["", f"-I{PACKAGE}={proto.parent}", include, *outputs, str(proto)]) == 0
    for ending in GENERATED:
        name = f"{PACKAGE}/{proto.stem}{ending}"
        assert (tmp_path / name).read_text() == (ROOT / "client" / name).read_text(), f"{name} is old: make protos"


def test_every_part_says_what_it_is_in_a_sentence(file):
    comments = {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}
    documented = dict(parts(file))
    assert len(documented) > 100
    silent = [name for name, path in documented.items() if not comments.get(path, "").endswith((".", "…"))]
    assert silent == []


def test_names_and_numbers_are_those_that_others_have_built_on(file):
    assert file.package == "coldstart.v1"
    numbers = {message.name: {field.name: field.number for field in message.field} for message in file.message_type}
    assert {name: numbers[name] for name in NUMBERS} == NUMBERS


def test_only_what_is_served_is_declared(file):
    [service] = file.service
    from service.rpc.servicer import EnjoymentServicer

    assert all(method.name in vars(EnjoymentServicer) for method in service.method)


def test_names_follow_the_rules_of_buf(file):
    for enum in file.enum_type:
        prefix = "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in enum.name).strip("_")
        assert enum.value[0].name == f"{prefix}_UNSPECIFIED"
        assert all(value.name.startswith(prefix + "_") for value in enum.value)
    assert all(service.name.endswith("Service") for service in file.service)


def test_the_numbers_of_evidence_are_those_of_the_model(file):
    from model.facts.evidence import MemberEvidence, MovieEvidence

    for enum in file.enum_type:
        for ours in (MemberEvidence, MovieEvidence):
            if enum.name == ours.__name__:
                numbers = {value.name.split("EVIDENCE_")[1]: value.number for value in enum.value[1:]}
                assert numbers == {each.name: each.value for each in ours}
