"""Whether two checkouts of the project predict the same, bit by bit: for a change that must not change predictions."""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

from benchmarks.checkout import Checkout
from benchmarks.questions import Json, Question, questions_of

THIS = Path(__file__).parents[1]
MOVIELENS = THIS.parent / "shared" / "data" / "ml-100k"
"""Where the release is, if it is there: its terms forbid to keep it in the project."""
PROTO = "enjoyment_service.proto"
SERVICE = "coldstart.v1.EnjoymentService"
CALL_SECONDS = 60
PAGES = 3
"""A ranking is read for so many pages at most."""
MOST_SHOWN, MOST_OF_ANSWER = 20, 2
"""Differences shown, of all answers and of one."""

Answer = Message | str
"""The answer to a call, or the status of one that failed."""


def main() -> int:
    """0 where all answers are the same, 1 where any differs; prints what was compared as one JSON object."""
    parser = argparse.ArgumentParser("python -m benchmarks.unchanged", description=__doc__)
    parser.add_argument("--before", type=Path, required=True, metavar="CHECKOUT", help="the checkout to compare with")
    parser.add_argument("--after", type=Path, default=THIS, metavar="CHECKOUT", help="the changed one (default this)")
    parser.add_argument(
        "--data", nargs="+", default=[], metavar="NAME:FOLDER",
        help="further data directories of Parquet files, beside the sample and MovieLens 100K where it is at hand",
    )  # fmt: skip
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    found = {}
    with tempfile.TemporaryDirectory(prefix="coldstart-unchanged-") as made:
        folder = Path(made)
        before, after = Checkout(arguments.before, folder / "before"), Checkout(arguments.after, folder / "after")
        contract = Contract(before.root, folder)
        for name, data in data_sets(before, folder, arguments.data).items():
            questions = list(questions_of(data))
            found[name] = compared(
                answers_of(before, data, folder / f"{name}-before", contract, questions),
                answers_of(after, data, folder / f"{name}-after", contract, questions),
            )
    print(json.dumps(found, indent=2))
    return int(any(one["answers_that_differ"] for one in found.values()))


def data_sets(checkout: Checkout, folder: Path, further: Sequence[str]) -> dict[str, Path]:
    """The data directories by name; those that have to be made are made once, by one checkout."""
    found = {"sample": folder / "sample"}
    checkout.training("sample", "--out", found["sample"], "--members", "400", "--movies", "120")
    if MOVIELENS.is_dir():
        found["ml-100k"] = folder / "ml-100k"
        checkout.training("import", "movielens", MOVIELENS, "--out", found["ml-100k"])
    return found | {name: Path(path).resolve() for name, _, path in (one.partition(":") for one in further)}


class Contract:
    """The messages and methods of a checkout's .proto, whatever code it generates from it and wherever."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        proto = next(checkout.glob(f"[!.]*/**/{PROTO}"), None)
        if proto is None:
            raise SystemExit(f"{checkout} has no {PROTO}")
        compiled = folder / "descriptors"
        called = [sys.executable, "-m", "grpc_tools.protoc", "--include_imports", f"-o{compiled}", f"-I{proto.parent}"]
        subprocess.run([*called, proto.name], check=True)
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes()).file:
            pool.Add(file)
        self._methods = pool.FindServiceByName(SERVICE).methods_by_name

    def request(self, method: str, fields: Json) -> Any:
        """The request with these fields."""
        return json_format.ParseDict(fields, message_factory.GetMessageClass(self._methods[method].input_type)())

    def ask(self, channel: grpc.Channel, method: str, requests: Sequence[Message]) -> Iterator[Answer]:
        """The answers to requests, a ranking's page by page; a failed call's status is the last."""
        kind = "stream_stream" if self._methods[method].server_streaming else "unary_unary"
        answer_class = message_factory.GetMessageClass(self._methods[method].output_type)
        call = getattr(channel, kind)(
            f"/{SERVICE}/{method}", lambda request: request.SerializeToString(), answer_class.FromString
        )
        try:
            if kind == "stream_stream":
                yield from call(iter(requests))
            for request in requests if kind == "unary_unary" else ():
                yield from pages(call, request)
        except grpc.RpcError as error:
            yield error.code().name


def pages(call: Any, request: Any) -> Iterator[Any]:
    """The answer, and the pages after it where it has any."""
    for _ in range(PAGES):
        answer = call(request, timeout=CALL_SECONDS)
        token = getattr(answer, "next_page_token", "")
        yield answer
        if not token:
            return
        request.page_token = token


def answers_of(
    checkout: Checkout, data: Path, folder: Path, contract: Contract, questions: Sequence[Question]
) -> dict[str, Answer]:
    """All answers of the model that a checkout trains and serves, by what was asked."""
    checkout.training("retrain", "--data", data, "--models", folder, "--seed", "0", "--force")
    answers: dict[str, Answer] = {}
    with checkout.serving(folder) as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for one in questions:
            requests = [contract.request(one.method, fields) for fields in one.requests]
            for number, answer in enumerate(contract.ask(channel, one.method, requests)):
                answers[f"{one.method} {one.name}, answer {number}"] = answer
    return answers


def compared(before: dict[str, Answer], after: dict[str, Answer]) -> Json:
    """What was compared and how it differs, apart from the model's version and the tokens of pages, which name it."""
    versions = [set_aside_version(answers.values()) for answers in (before, after)]
    names = list(dict.fromkeys([*before, *after]))
    differ = [name for name in names if bits(before.get(name)) != bits(after.get(name))]
    shown = (
        f"{name}: {told}"
        for name in differ
        for told in islice(differences(before.get(name), after.get(name)), MOST_OF_ANSWER)
    )
    return {
        "answers_compared": len(names),
        "by_method": Counter(name.split()[0] for name in names),
        "by_status_of_failed": Counter(answer for answer in before.values() if isinstance(answer, str)),
        "predictions_by_evidence": Counter(told for answer in before.values() for told in evidence(answer)),
        "model_versions": versions,
        "same_model_version": versions[0] == versions[1],
        "answers_that_differ": len(differ),
        "first_differences": list(islice(shown, MOST_SHOWN)),
    }


def set_aside_version(answers: Iterable[Any]) -> str:
    """The version that answered, which is taken out of the answers, as is what a page token says of it."""
    versions = set()
    for answer in answers:
        if not isinstance(answer, str):
            versions.add(answer.model_version)
            answer.ClearField("model_version")
            if getattr(answer, "next_page_token", ""):
                answer.next_page_token = "a further page"  # noqa: S105 # no secret
    return ", ".join(sorted(versions))


def bits(answer: Answer | None) -> bytes | str | None:
    """All that an answer holds, fields that the contract lacks among it."""
    return answer.SerializeToString(deterministic=True) if isinstance(answer, Message) else answer


def differences(before: Answer | None, after: Answer | None) -> Iterator[str]:
    """Each field that differs, with both values."""
    one, other = dict(values(before)), dict(values(after))
    if one == other:
        yield f"the encoded answers differ, in no field of the contract: {bits(before)!r}, {bits(after)!r}"
    for path in dict.fromkeys([*one, *other]):
        if one.get(path) != other.get(path):
            yield f"{path}: {one.get(path, 'not set')} before, {other.get(path, 'not set')} after"


def values(answer: Any, path: str = "answer") -> Iterator[tuple[str, str]]:
    """The path and the value of each field that is set, numbers with fractions to the last bit."""
    if not isinstance(answer, Message):
        yield path, f"{answer!r} ({answer.hex()})" if isinstance(answer, float) else repr(answer)
        return
    yield path, "set"
    for field, value in answer.ListFields():
        if field.is_repeated:
            yield f"{path}.{field.name}", f"{len(value)} of them"
            for place, one in enumerate(value):
                yield from values(one, f"{path}.{field.name}[{place}]")
        else:
            yield from values(value, f"{path}.{field.name}")


def evidence(answer: Any) -> Iterator[str]:
    """What each prediction of an answer rests on."""
    if isinstance(answer, str):
        return
    for one in [answer.prediction] if hasattr(answer, "prediction") else answer.predictions:
        yield f"{name_of(answer, 'member_evidence')}, {name_of(one, 'movie_evidence')}"


def name_of(message: Any, field: str) -> str:
    """The name of an enum field's value."""
    number = getattr(message, field)
    name: str = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number[number].name
    return name


if __name__ == "__main__":
    sys.exit(main())
