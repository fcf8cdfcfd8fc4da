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


@dataclass
class Stage:
    """A build stage of the Dockerfile."""

    root: Path
    """Folder with its file system."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables set by ENV."""
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
    """Serve, ask health and a prediction, and stop; raises SystemExit if any of it fails."""
    ports = {"COLDSTART_PORT": "0", "COLDSTART_METRICS_PORT": "0", "COLDSTART_HOST": "127.0.0.1"}
    writing = subprocess.run(running(stage, models, ["touch", "/app/written"], {}), capture_output=True, check=False)
    if writing.returncode == 0:
        raise SystemExit("the image's root can be written")
    process = subprocess.Popen(running(stage, models, stage.entry, ports), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None  # noqa: S101 # that is what PIPE says
    started = time.monotonic()
    serving = json.loads(process.stdout.readline())
    print(f"  serving {serving['model_version']} after {time.monotonic() - started:.1f} s", flush=True)
    asked = ports | {"COLDSTART_PORT": str(serving["port"])}
    subprocess.run(running(stage, models, stage.health, asked), check=True, timeout=START_SECONDS)
    with Client(f"127.0.0.1:{serving['port']}", timeout_seconds=10) as client:
        [best] = client.rank(page_size=1)
        print(f"  the best movie for a member of whom nothing is known: {best.rating:.2f}")
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
    parser.add_argument("--base", type=Path, help="a Debian root made before by debootstrap; else a fresh one is made")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coldstart-image-") as folder:
        base = arguments.base or Path(folder) / "base"
        if not arguments.base:
            print(f"  debootstrap {SUITE}", flush=True)
            options = ["--variant=minbase", f"--include={PACKAGES}"]
            subprocess.run(["debootstrap", *options, SUITE, str(base)], check=True, stdout=subprocess.DEVNULL)
        prove(build(base, Path(folder)), arguments.models)
    print("the image builds, runs as its own user on a read-only root, is healthy and predicts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
