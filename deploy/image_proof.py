"""Proves the Dockerfile without a Docker engine: `make image-proof MODELS=…`, as root on Debian.

Carries out the Dockerfile's own steps in a fresh Debian root (debootstrap), then runs the image's entry point in it as
the image's user, on a root that can't be written (bubblewrap), with the folder of models as a read-only volume, and
asks its health check and one prediction. With --extras, the service also reads its models from an address, finds a
member in Redis and sends a span to a collector. Needs the Debian packages debootstrap and bubblewrap, and with --extras
redis-server.
"""

import argparse
import hashlib
import json
import os
import shlex
import shutil
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from coldstart_client import Client

PROJECT = Path(__file__).parents[1]
SUITE = "bookworm"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = "ca-certificates,python3,python3-venv,python-is-python3"
"""Packages of the base image that a minimal Debian lacks."""
SYSTEM = ("--dev", "/dev", "--proc", "/proc", "--perms", "1777", "--tmpfs", "/tmp")
"""File systems that an engine mounts into every container."""
FROM_HOST = ("/etc/resolv.conf", "/etc/ssl/certs", "/etc/pip.conf", "/etc/xdg/pip")
"""Files of the host by which pip reaches a package index during the build."""
START_SECONDS = 60
PORTS = {"COLDSTART_PORT": "0", "COLDSTART_METRICS_PORT": "0", "COLDSTART_HOST": "127.0.0.1"}
MEMBER = "a member of whom only Redis knows"


@dataclass
class Stage:
    """A build stage of the Dockerfile."""

    root: Path
    """Folder with its file system."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables set by ENV."""
    arguments: dict[str, str] = field(default_factory=dict)
    """Build arguments set by ARG, which only the build steps have."""
    folder: str = "/"
    """The folder set by WORKDIR."""
    user: str = "0"
    """The user set by USER."""
    entry: list[str] = field(default_factory=list)
    """The command set by ENTRYPOINT."""
    health: list[str] = field(default_factory=list)
    """The command set by HEALTHCHECK."""


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Every instruction with its arguments, lines joined."""
    lines = [line for line in dockerfile.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def build(base: Path, work: Path, arguments: dict[str, str]) -> Stage:
    """The last stage of the Dockerfile, each step carried out on a copy of the base, with these build arguments."""
    stages: dict[str, Stage] = {}
    stage = Stage(base)
    for number, (word, rest) in enumerate(instructions((PROJECT / "Dockerfile").read_text())):
        print(f"  {word} {rest[:100]}", flush=True)
        if word == "FROM":
            name = rest.split()[-1] if " AS " in rest.upper() else str(number)
            stage = stages[name] = Stage(work / name)
            subprocess.run(["cp", "-a", str(base), str(stage.root)], check=True)
        elif word == "COPY":
            copy(stage, stages, shlex.split(rest))
        elif word == "ENV":
            for pair in shlex.split(rest):
                name, _, value = pair.partition("=")
                stage.environment[name] = value.replace("$PATH", PATH)
        elif word == "ARG":
            name, _, default = rest.partition("=")
            stage.arguments[name] = arguments.get(name, default.strip('"'))
        elif word == "WORKDIR":
            stage.folder = rest
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "RUN":
            inside(stage, ["sh", "-c", rest])
        elif word == "USER":
            stage.user = rest
        elif word == "ENTRYPOINT":
            stage.entry = json.loads(rest)
        elif word == "HEALTHCHECK":
            stage.health = json.loads(rest.partition("CMD ")[2])
        elif word not in ("EXPOSE", "STOPSIGNAL", "LABEL"):
            raise SystemExit(f"the proof can't do {word} yet")
    return stage


def copy(stage: Stage, stages: dict[str, Stage], arguments: list[str]) -> None:
    """COPY from the project, or from another stage."""
    source = PROJECT
    if arguments[0].startswith("--from="):
        source = stages[arguments.pop(0).removeprefix("--from=")].root
    *names, target = arguments
    into = stage.root / (target if target.startswith("/") else f"{stage.folder}/{target}").lstrip("/")
    for name in names:
        origin = source / name.lstrip("/")
        place = into / origin.name if len(names) > 1 or target.endswith((".", "/")) else into
        if origin.is_dir():
            shutil.copytree(
                origin, place, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin, place)


def inside(stage: Stage, command: list[str]) -> None:
    """Run a build step as root in a stage, with the host's network."""
    lent = [part for place in FROM_HOST if Path(place).exists() for part in ("--ro-bind", place, place)]
    environment = {"PATH": PATH} | {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    subprocess.run(
        ["bwrap", "--bind", str(stage.root), "/", *SYSTEM, *lent,
         "--chdir", stage.folder, "--", *command],
        check=True, env=environment | stage.arguments | stage.environment,
    )  # fmt: skip


def running(stage: Stage, models: Path, command: list[str], extra: dict[str, str]) -> list[str]:
    """A command in the finished image: its own user, nothing to write but /tmp."""
    user, _, group = stage.user.partition(":")
    settings = [part for pair in (stage.environment | extra).items() for part in ("--setenv", *pair)]
    return ["bwrap", "--unshare-user", "--uid", user, "--gid", group or user,
            "--ro-bind", str(stage.root), "/", *SYSTEM,
            "--ro-bind", str(models.resolve()), "/models", "--chdir", stage.folder, "--clearenv", *settings, "--",
            *command]  # fmt: skip


@contextmanager
def surroundings() -> Iterator[tuple[dict[str, str], list[bytes]]]:
    """Run a Redis with one member and a collector of traces.

    Yields settings for a service that uses both, with models at an address, and the bodies that the collector received.
    """
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

    with TemporaryDirectory() as folder, HTTPServer(("127.0.0.1", 0), Handler) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        socket = Path(folder) / "socket"
        with closing_port() as port:
            command = ["redis-server", "--port", str(port), "--unixsocket", str(socket), "--save", "", "--dir", folder]
        store = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not socket.exists():
                time.sleep(0.1)
            digest = hashlib.blake2b(MEMBER.encode(), digest_size=16, person=b"coldstart").hexdigest()
            record = json.dumps({"version": 1, "attributes": {"age": 34.0}})
            subprocess.run(
                ["redis-cli", "-s", str(socket), "set", f"coldstart:member:{digest}", record],
                check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
            yield (
                {
                    "COLDSTART_MODELS": "file:///models",
                    "COLDSTART_MEMBERS": f"redis://127.0.0.1:{port}",
                    "COLDSTART_MEMBERS_TIMEOUT_SECONDS": "5",
                    "COLDSTART_TRACES": f"http://127.0.0.1:{collector.server_address[1]}/v1/traces",
                    "COLDSTART_TRACE_SAMPLE": "1",
                },
                received,
            )
        finally:
            store.terminate()
            store.wait()
            collector.shutdown()


@contextmanager
def closing_port() -> Iterator[int]:
    """A port that was free a moment ago."""
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        yield int(server.server_address[1])


def prove_extras(stage: Stage, models: Path) -> None:
    """Serve with models at an address, members in Redis and traces; raises SystemExit if any of it doesn't work."""
    subprocess.run(running(stage, models, ["python", "-c", "import s3fs"], {}), check=True)
    with surroundings() as (settings, received):
        with serving(stage, models, settings) as port, Client(f"127.0.0.1:{port}", timeout_seconds=10) as client:
            answer = client.rank(page_size=1, member_id=MEMBER)
            if answer.member_evidence != "attributes" or answer.unused.unknown_member:
                raise SystemExit("the member in Redis wasn't used")
            print("  a member from Redis, by a model at an address", flush=True)
        if not any(b"RankMovies" in body for body in received):
            raise SystemExit("no span came to the collector")
        print("  a span at the collector", flush=True)


def prove(stage: Stage, models: Path) -> None:
    """Serve, ask health and a prediction, and stop; raises SystemExit if any of it fails."""
    writing = subprocess.run(running(stage, models, ["touch", "/app/written"], {}), capture_output=True, check=False)
    if writing.returncode == 0:
        raise SystemExit("the image's root can be written")
    with serving(stage, models, {}) as port, Client(f"127.0.0.1:{port}", timeout_seconds=10) as client:
        asked = PORTS | {"COLDSTART_PORT": str(port)}
        subprocess.run(running(stage, models, stage.health, asked), check=True, timeout=START_SECONDS)
        [best] = client.rank(page_size=1)
        print(f"  the best movie for a member of whom nothing is known: {best.rating:.2f}")


@contextmanager
def serving(stage: Stage, models: Path, settings: dict[str, str]) -> Iterator[int]:
    """The port of the image's service; raises SystemExit if it doesn't start, or doesn't stop as it should."""
    ports = PORTS | settings
    process = subprocess.Popen(running(stage, models, stage.entry, ports), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None  # noqa: S101 # that is what PIPE says
    started = time.monotonic()
    started_service = json.loads(process.stdout.readline())
    print(f"  serving {started_service['model_version']} after {time.monotonic() - started:.1f} s", flush=True)
    try:
        yield int(started_service["port"])
    finally:
        os.kill(child_of(process.pid), signal.SIGTERM)
    if process.wait(START_SECONDS):
        raise SystemExit(f"the service ended with exit code {process.returncode}")
    process.stdout.close()


def child_of(number: int) -> int:
    """The process that bubblewrap started."""
    return int(Path(f"/proc/{number}/task/{number}/children").read_text().split()[0])


def main() -> int:
    """Build the image, run it and call it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="a folder with a published model")
    parser.add_argument("--extras", default="", help="the build argument EXTRAS: redis, otel and remote, to prove each")
    parser.add_argument("--base", type=Path, help="a Debian root made before by debootstrap; else a fresh one is made")
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="coldstart-image-") as folder:
        base = arguments.base or Path(folder) / "base"
        if not arguments.base:
            print(f"  debootstrap {SUITE}", flush=True)
            options = ["--variant=minbase", f"--include={PACKAGES}"]
            subprocess.run(["debootstrap", *options, SUITE, str(base)], check=True, stdout=subprocess.DEVNULL)
        stage = build(base, Path(folder), {"EXTRAS": arguments.extras})
        prove(stage, arguments.models)
        if arguments.extras:
            prove_extras(stage, arguments.models)
    print("the image builds, runs as its own user on a read-only root, is healthy and predicts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
