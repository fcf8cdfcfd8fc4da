"""Bearer tokens: which calls need one, what it is good for, and how the file of hashes is made and followed."""

import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.facts.outcome_record import from_line
from service.commands import token as command
from service.errors import TokensError
from service.rpc.methods import SERVICES, described
from service.rpc.security.tokens import METHODS, entry_text, hashed, new_token, read_entries

ROOT = Path(__file__).parents[4]
SALT = bytes(16)
WRONG_HASH = "token 1: hash must be as python -m service token writes it"
UNAUTHENTICATED, PERMISSION_DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED


def bearer(token):
    return (("authorization", f"Bearer {token}"),)


def write(file, **tokens):
    """A file of tokens, by whose they are, each with its methods."""
    put(file, "\n".join(entry_text(name, token, methods, SALT) for name, (token, methods) in tokens.items()))


def put(file, text):
    """A file at once, since a server that reads it half-written counts one more file that can't be used."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(text)
    unfinished.replace(file)


@pytest.fixture(scope="module")
def guarded(world, start_lasting, tmp_path_factory):
    """A server that wants tokens: one is good for all methods, one for rankings."""
    file = tmp_path_factory.mktemp("tokens") / "tokens.toml"
    tokens = {"all": new_token(), "rankings": new_token()}
    write(file, all=(tokens["all"], ["*"]), rankings=(tokens["rankings"], ["RankMovies"]))
    server = start_lasting(
        world.models, "--tokens", str(file), "--reload-seconds", "0.1", "--outcomes", str(file.parent / "outcomes")
    )
    return server, file, tokens


def every_method():
    """Path and shape of each method of each service."""
    return [
        (f"/{service.full_name}/{method.name}", method.client_streaming, method.server_streaming)
        for service in described()
        if service.full_name != "grpc.health.v1.Health"
        for method in service.methods
    ]


def ended(channel, path, request_streaming, response_streaming, metadata):
    """How a call with an empty message ends."""
    name = f"{'stream' if request_streaming else 'unary'}_{'stream' if response_streaming else 'unary'}"
    request = iter([b""]) if request_streaming else b""
    call = getattr(channel, name)(path)
    try:
        answer = call(request, metadata=metadata, timeout=10)
        if response_streaming:
            list(answer)
    except grpc.RpcError as error:
        return error
    return None


@pytest.mark.parametrize(("path", "request_streaming", "response_streaming"), every_method())
@pytest.mark.parametrize(
    "metadata",
    [
        (),
        bearer(""),
        bearer(new_token()),
        (("authorization", "Basic abc"),),
        (("authorization", "é".encode("latin1").hex()),),
        (*bearer(new_token()), *bearer(new_token())),
    ],
)
def test_no_method_but_health_can_be_called_without_a_valid_token(
    guarded, details, path, request_streaming, response_streaming, metadata
):
    error = ended(guarded[0].channel, path, request_streaming, response_streaming, metadata)
    assert error.code() == UNAUTHENTICATED
    [info] = details(error, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain) == ("NO_VALID_TOKEN", "coldstart")


@pytest.mark.parametrize(("path", "request_streaming", "response_streaming"), every_method())
def test_a_token_may_call_what_its_entry_says(guarded, details, path, request_streaming, response_streaming):
    server, _, tokens = guarded
    allowed = ended(server.channel, path, request_streaming, response_streaming, bearer(tokens["all"]))
    assert allowed is None or allowed.code() == grpc.StatusCode.INVALID_ARGUMENT
    narrow = ended(server.channel, path, request_streaming, response_streaming, bearer(tokens["rankings"]))
    if path.endswith("RankMovies"):
        assert narrow is None
    else:
        assert narrow.code() == PERMISSION_DENIED
        assert [info.reason for info in details(narrow, error_details_pb2.ErrorInfo)] == ["METHOD_NOT_ALLOWED"]


def test_a_token_may_be_for_each_method_but_those_of_health():
    served = {method.name for service in described() if "health" not in service.full_name for method in service.methods}
    assert set(METHODS) == served


def test_health_needs_no_token(guarded):
    health = health_pb2_grpc.HealthStub(guarded[0].channel)
    assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
    assert next(iter(health.Watch(health_pb2.HealthCheckRequest()))).status == health_pb2.HealthCheckResponse.SERVING


def test_an_outcome_is_recorded_with_the_name_of_its_token(guarded):
    server, file, tokens = guarded
    request = pb.RecordOutcomeRequest(request_id="named", member_id="m", movie_id="movie-001", rating=3)
    server.stub.RecordOutcome(request, metadata=bearer(tokens["all"]))
    lines = [line for log in (file.parent / "outcomes").glob("*.jsonl") for line in log.read_bytes().splitlines(True)]
    assert [from_line(line).caller for line in lines] == ["all"]


def test_reflection_is_not_for_strangers(guarded):
    server, _, tokens = guarded
    stub = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    [answer] = stub.ServerReflectionInfo(iter([asked]), metadata=bearer(tokens["all"]))
    assert [each.name for each in answer.list_services_response.service] == sorted(SERVICES)


def test_what_exists_stays_hidden_without_a_token(guarded, refused):
    call = guarded[0].channel.unary_unary("/no.service/NoMethod")
    assert refused(lambda: call(b"")).code() == UNAUTHENTICATED
    assert refused(lambda: call(b"", metadata=bearer(guarded[2]["all"]))).code() == grpc.StatusCode.UNIMPLEMENTED


def eventually(true):
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_changed_file_counts_at_once_and_a_broken_one_changes_nothing(guarded):
    server, file, tokens = guarded
    content, first, second = file.read_text(), tokens["all"], new_token()

    def loads(result):
        return server.metric("coldstart_token_loads_total", result=result)

    def counts():
        events = [line["event"] for line in server.log()]
        return [loads("loaded"), events.count("tokens_loaded"), events.count("tokens_not_loaded")]

    def may(token):
        return ended(server.channel, "/coldstart.v1.EnjoymentService/GetModel", False, False, bearer(token)) is None

    at_first = counts()
    assert may(first)
    assert not may(second)
    write(file, second=(second, ["*"]))
    eventually(lambda: may(second))
    assert not may(first), "a token that is taken out is refused, also where it was known before"
    for broken in ("no TOML", '[[tokens]]\nname = "x"', None):
        before = loads("refused")
        file.unlink() if broken is None else put(file, broken)
        eventually(lambda before=before: loads("refused") == before + 1)
        eventually(lambda: server.metric("coldstart_file_behind", file="tokens") == 1)
        assert may(second)
    put(file, content)
    eventually(lambda: may(first))
    eventually(lambda: server.metric("coldstart_file_behind", file="tokens") == 0)
    assert [now - then for now, then in zip(counts(), at_first, strict=True)] == [2, 2, 3]
    logged = server.log_file.read_text()
    assert not any(secret in logged for secret in (first, second, hashed(first, SALT).hex()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "it is no TOML"),
        (b"tokens = 3", "it has no [[tokens]]; python -m service token makes one"),
        (b'[[tokens]]\nname = "a"', "token 1 must have name, hash and methods, and nothing else"),
        (b'[[tokens]]\nname = "a"\nhash = "a"\nmethods = ["*"]', WRONG_HASH),
        (b'[[tokens]]\nname = "a"\nhash = "aa:bb"\nmethods = ["*"]', WRONG_HASH),
        (
            b'[[tokens]]\nname = "a"\nhash = "a"\nmethods = ["A"]',
            f"token 1: methods must be a list of {', '.join(METHODS)}, or of *",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_and_the_reason(content, message):
    with pytest.raises(TokensError) as raised:
        read_entries(content)
    assert str(raised.value) == message


def test_a_server_does_not_start_without_a_usable_file(world, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "service", "--models", str(world.models), "--port", "0", "--metrics-port", "0",
         "--tokens", str(tmp_path / "none")],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "error: the file of --tokens can't be used: it can't be read: No such file or directory\n"


def test_the_command_makes_tokens_that_a_server_takes(tmp_path, capsys):
    file = tmp_path / "tokens.toml"
    made = []
    for name, methods in (("web", ["PredictEnjoyment", "RankMovies"]), ("all", [])):
        arguments = ["--file", str(file), "--name", name, *(["--methods", *methods] if methods else [])]
        assert command.main(arguments) == 0
        made.append(capsys.readouterr().out.strip())
    web, everything = read_entries(file.read_bytes())
    assert web.may_call("RankMovies")
    assert not web.may_call("GetModel")
    assert everything.may_call("GetModel")
    assert [entry.digest for entry in (web, everything)] == [
        hashed(token, entry.salt) for token, entry in zip(made, (web, everything), strict=True)
    ]
    assert web.salt != everything.salt
    assert not any(token in file.read_text() for token in made)
    assert file.stat().st_mode & 0o077 == 0


def test_the_command_leaves_a_file_alone_that_is_no_file_of_tokens(tmp_path, capsys):
    file = tmp_path / "other"
    file.write_text("something else")
    assert command.main(["--file", str(file), "--name", "web"]) == 2
    assert "it is no TOML" in capsys.readouterr().err
    assert file.read_text() == "something else"
    assert command.main(["--file", str(tmp_path / "new"), "--name", 'a"\nb']) == 2


def test_a_token_changes_nothing_in_an_answer(guarded, world):
    server, _, tokens = guarded
    request = pb.PredictEnjoymentRequest(movie_ids=world.movie_ids[:3])
    answer = server.stub.PredictEnjoyment(request, metadata=bearer(tokens["all"]))
    assert answer == world.stub.PredictEnjoyment(request)
