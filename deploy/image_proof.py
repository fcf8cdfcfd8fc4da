"""Proves the Dockerfile without a Docker engine: `make image-proof MODELS=…`, as root on Debian.

Carries out the Dockerfile's own steps in a fresh Debian root (debootstrap), then runs the image's entry point in it as
the image's user, on a root that can't be written (bubblewrap), with the folder of models as a read-only volume, and
asks its health check and one prediction. Needs the Debian packages debootstrap and bubblewrap.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT))

import grpc  # noqa: E402 # the project's own packages are found from its root

from coldstart_client.v1 import enjoyment_service_pb2 as pb  # noqa: E402
from coldstart_client.v1 import enjoyment_service_pb2_grpc as pb_grpc  # noqa: E402

SUITE = "bookworm"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = "ca-certificates,python3,python3-venv,python-is-python3"
"""What the base image has and a bare Debian lacks."""
SYSTEM = ("--dev", "/dev", "--proc", "/proc", "--perms", "1777", "--tmpfs", "/tmp")
"""What an engine mounts into every container."""
FROM_HOST = ("/etc/resolv.conf", "/etc/ssl/certs", "/etc/pip.conf", "/etc/xdg/pip")
"""How the host reaches its package index, lent to the build."""
START_SECONDS = 60


@dataclass
class Stage:
    """One FROM of the Dockerfile in the making."""

    root: Path
    """Its file system."""
    environment: dict[str, str] = field(default_factory=dict)
    """What ENV said."""
    folder: str = "/"
    """What WORKDIR said."""
    user: str = "0"
    """What USER said."""
    entry: list[str] = field(default_factory=list)
    """What ENTRYPOINT said."""
    health: list[str] = field(default_factory=list)
    """What HEALTHCHECK said."""


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """Every instruction with its arguments, lines joined."""
    lines = [line for line in dockerfile.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def build(base: Path, work: Path) -> Stage:
    """The last stage of the Dockerfile, each step carried out on a copy of the base."""
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
        elif word not in ("ARG", "EXPOSE", "STOPSIGNAL", "LABEL"):
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
        check=True, env=environment | stage.environment,
    )  # fmt: skip


def running(stage: Stage, models: Path, command: list[str], extra: dict[str, str]) -> list[str]:
    """A command in the finished image: its own user, nothing to write but /tmp."""
    user, _, group = stage.user.partition(":")
    settings = [part for pair in (stage.environment | extra).items() for part in ("--setenv", *pair)]
    return ["bwrap", "--unshare-user", "--uid", user, "--gid", group or user,
            "--ro-bind", str(stage.root), "/", *SYSTEM,
            "--ro-bind", str(models.resolve()), "/models", "--chdir", stage.folder, "--clearenv", *settings, "--",
            *command]  # fmt: skip


def prove(stage: Stage, models: Path) -> None:
    """Serve, ask health and a prediction, and stop; raises SystemExit where the image doesn't do as it should."""
    ports = {"COLDSTART_PORT": "0", "COLDSTART_METRICS_PORT": "0", "COLDSTART_HOST": "127.0.0.1"}
    writing = subprocess.run(running(stage, models, ["touch", "/app/written"], {}), capture_output=True, check=False)
    if writing.returncode == 0:
        raise SystemExit("the image's root can be written")
    process = subprocess.Popen(running(stage, models, stage.entry, ports), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None  # noqa: S101 # that is what PIPE says
    started = time.monotonic()
    told = json.loads(process.stdout.readline())
    print(f"  serving {told['model_version']} after {time.monotonic() - started:.1f} s", flush=True)
    asked = ports | {"COLDSTART_PORT": str(told["port"])}
    subprocess.run(running(stage, models, stage.health, asked), check=True, timeout=START_SECONDS)
    with grpc.insecure_channel(f"127.0.0.1:{told['port']}") as channel:
        stub = pb_grpc.EnjoymentServiceStub(channel)
        best = stub.RankMovies(pb.RankMoviesRequest(page_size=1), timeout=10).predictions[0]
        print(f"  the best movie for a member of whom nothing is known: {best.rating:.2f}")
    os.kill(child_of(process.pid), signal.SIGTERM)
    if process.wait(START_SECONDS):
        raise SystemExit(f"the service ended with exit code {process.returncode}")
    process.stdout.close()


def child_of(number: int) -> int:
    """The process that bubblewrap started."""
    return int(Path(f"/proc/{number}/task/{number}/children").read_text().split()[0])


def main() -> int:
    """Build, run, ask."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="a folder with a published model")
    parser.add_argument("--base", type=Path, help="a Debian root made before by debootstrap; else a fresh one is made")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coldstart-image-") as folder:
        base = given.base or Path(folder) / "base"
        if not given.base:
            print(f"  debootstrap {SUITE}", flush=True)
            told = ["--variant=minbase", f"--include={PACKAGES}", SUITE, str(base)]
            subprocess.run(["debootstrap", *told], check=True, stdout=subprocess.DEVNULL)
        prove(build(base, Path(folder)), given.models)
    print("the image builds, runs as its own user on a read-only root, is healthy and predicts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
