"""The two wheels: what they hold, and that each works alone, away from the checkout."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import HeaderParser
from pathlib import Path

import pytest

from tests.conftest import LEARNED

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CLIENT = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())
BUILT_FROM = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "client",
    *PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"],
)
SHADOWED = ("coldstart", "features", "model", "service", "training")
in_ci = pytest.mark.skipif("CI" not in os.environ, reason="installs every dependency anew, which CI does")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> dict[str, Path]:
    """Both wheels, built from a copy without what is not part of the project."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, folder / "copy" / name, ignore=ignored, dirs_exist_ok=True)
        else:
            (folder / "copy").mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / "copy" / name)
    for place in (folder / "copy", folder / "copy" / "client"):
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
        subprocess.run(command, cwd=place, check=True, capture_output=True)
    return {path.name.split("-")[0]: path for path in (folder / "dist").iterdir()}


def files_of(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def metadata_of(wheel: Path):
    [text] = [content for name, content in files_of(wheel).items() if name.endswith(".dist-info/METADATA")]
    return HeaderParser().parsestr(text.decode())


def entries(folder: Path) -> dict[str, bytes]:
    """The files of a package by their names in a wheel."""
    return {
        path.relative_to(folder.parent).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_each_wheel_holds_every_file_of_its_packages_and_nothing_else(wheels):
    packages = {
        "coldstart": PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"],
        "coldstart_client": [f"client/{CLIENT['tool']['hatch']['build']['targets']['wheel']['packages'][0]}"],
    }
    assert set(wheels) == set(packages)
    for name, folders in packages.items():
        wanted: dict[str, bytes] = {}
        for folder in folders:
            wanted |= entries(ROOT / folder)
        assert {
            path: content for path, content in files_of(wheels[name]).items() if ".dist-info/" not in path
        } == wanted
        assert any(path.endswith(".dist-info/licenses/LICENSE") for path in files_of(wheels[name]))
    assert {"coldstart_client/py.typed", "coldstart_client/service_config.json"} <= set(
        files_of(wheels["coldstart_client"])
    )


def test_both_distributions_have_one_version_and_the_client_no_dependency_of_its_own():
    assert PROJECT["project"]["version"] == CLIENT["project"]["version"]
    kustomization = (ROOT / "deploy" / "kubernetes" / "kustomization.yaml").read_text()
    assert f"newTag: {PROJECT['project']['version']}\n" in kustomization
    locked = (ROOT / "requirements.lock").read_text()
    for requirement in CLIENT["project"]["dependencies"]:
        assert f"\n{requirement.partition('>=')[0]}==" in locked, "the wheel of the service holds the client too"


def test_the_metadata_of_both_wheels_show_their_readme_and_commands(wheels):
    for name, readme, command in (
        ("coldstart", ROOT / "README.md", "coldstart = coldstart.__main__:main"),
        ("coldstart_client", ROOT / "client" / "README.md", "coldstart-client = coldstart_client.__main__:command"),
    ):
        metadata = metadata_of(wheels[name])
        assert metadata["Version"] == PROJECT["project"]["version"]
        assert metadata.get_payload().strip() == readme.read_text().strip()
        [commands] = [text for path, text in files_of(wheels[name]).items() if path.endswith("entry_points.txt")]
        assert commands.decode().splitlines() == ["[console_scripts]", command]
    assert set(metadata_of(wheels["coldstart"]).get_all("Provides-Extra")) == {
        "mlflow",
        "dask",
        "otel",
        "redis",
        "remote",
        "tune",
    }


class Environment:
    """A virtual environment, with locked dependencies and wheels if any, used from a folder of foreign packages."""

    def __init__(self, folder: Path, requirements: str = "", *wheels: Path) -> None:
        self._bin, self.away = folder / "venv" / "bin", folder / "away"
        for name in SHADOWED:
            (self.away / name).mkdir(parents=True)
            (self.away / name / "__init__.py").write_text("raise SystemExit('a foreign package was imported')")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
        if not requirements:
            return
        (folder / "requirements.txt").write_text(requirements)
        self.pip("install", "--no-compile", "--require-hashes", "-r", str(folder / "requirements.txt"))
        self.pip("install", "--no-index", "--no-deps", *map(str, wheels))
        self.pip("check")

    @property
    def packages(self) -> Path:
        """The folder of installed packages."""
        return Path(self.run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())

    def add_packages_of(self, other: "Environment") -> None:
        """Import from another environment what isn't in this one, for which pip takes it as installed too."""
        (self.packages / "other.pth").write_text(f"{other.packages}\n")

    def pip(self, *arguments: str) -> None:
        """Run the pip of the tests on this environment, which has none."""
        pip = [sys.executable, "-m", "pip", "--python", str(self._bin / "python"), "--disable-pip-version-check"]
        subprocess.run([*pip, "--quiet", *arguments], cwd=self.away, env=self.variables, check=True)

    def run(self, program: str, *arguments: str) -> str:
        """What a program of the environment prints; its exit code must be 0."""
        command = [str(self._bin / program), *arguments]
        done = subprocess.run(command, cwd=self.away, env=self.variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables without those that lead to the checkout or let each start compile all anew."""
        dropped = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
        own = {name: value for name, value in os.environ.items() if name not in dropped}
        return own | {"OMP_NUM_THREADS": "1"}

    @contextmanager
    def serving(self, models: str) -> Iterator[str]:
        """The address of a server."""
        command = [str(self._bin / "coldstart"), "serve", "--models", models, "--port", "0", "--metrics-port", "0"]
        log = self.away / "log"
        with log.open("w") as errors:
            process = subprocess.Popen(
                [*command, "--workers", "1"], cwd=self.away, env=self.variables, stdout=subprocess.PIPE, stderr=errors,
                text=True,
            )  # fmt: skip
        try:
            line = process.stdout.readline()
            assert line, log.read_text()
            yield f"127.0.0.1:{json.loads(line)['port']}"
        finally:
            process.terminate()
            process.communicate(timeout=60)
        assert process.returncode == 0, log.read_text()


def locked(*names: str) -> str:
    """The lock file, or its entries of some packages."""
    kept, keeping = [], False
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        if not line.startswith(" "):  # a requirement; its hashes follow, indented
            keeping = not names or line.partition("==")[0] in names
        kept += [line] if keeping else []
    return "\n".join(kept)


@pytest.fixture(scope="module")
def installed(wheels, tmp_path_factory) -> Environment:
    return Environment(tmp_path_factory.mktemp("installed"), locked(), wheels["coldstart"])


@pytest.fixture(scope="module")
def client_alone(wheels, tmp_path_factory) -> Environment:
    names = [requirement.partition(">=")[0] for requirement in CLIENT["project"]["dependencies"]]
    requirements = locked(*names, "typing-extensions")  # the last is needed by grpcio
    return Environment(tmp_path_factory.mktemp("client"), requirements, wheels["coldstart_client"])


@in_ci
@pytest.mark.timeout(900)
def test_the_installed_command_makes_a_model_and_serves_it_and_the_client_alone_asks_it(installed, client_alone):
    assert installed.run("coldstart", "--version").strip() == PROJECT["project"]["version"]
    assert installed.run("coldstart", "--help").startswith("usage: coldstart COMMAND")
    installed.run("coldstart", "sample", "--out", "data", "--members", "200", "--movies", "60")
    assert "is published and serves" in installed.run("coldstart", "retrain", "--data", "data", "--models", "models")
    with installed.serving("models") as address:
        assert "SERVING" in installed.run("coldstart", "probe", "--address", address)
        asked = installed.run("coldstart", "ask", "rank", "--page-size", "2", "--address", address)
        assert client_alone.run("coldstart-client", "rank", "--page-size", "2", "--address", address) == asked
        call = f"""
import sys
from coldstart_client import Client
with Client({address!r}) as client:
    print(len(client.predict(["movie-001", "movie-002"])))
assert not {{"numpy", "polars", "service", "model"}} & set(sys.modules)
"""
        assert client_alone.run("python", "-c", call) == "2\n"
    assert client_alone.run("coldstart-client", "--help").startswith("usage: coldstart-client")
    everything = str(ROOT / "tests" / "client" / "every_field.py")
    assert client_alone.run("python", everything) == "{'blocking': set(), 'asyncio': set()}\n"
    front = "import coldstart; print(coldstart.load('models').rank(size=3).shape)"
    assert installed.run("python", "-P", "-c", front) == "(3, 11)\n"


@in_ci
@pytest.mark.timeout(1800)
def test_all_extras_go_together_in_a_fresh_environment_with_a_retrain_and_a_call(installed, wheels, tmp_path):
    """The extras are resolved anew, on top of the locked dependencies."""
    extras = ",".join(sorted(PROJECT["project"]["optional-dependencies"]))
    fresh = Environment(tmp_path)
    fresh.add_packages_of(installed)
    fresh.pip("install", "--no-index", "--no-deps", "--force-reinstall", str(wheels["coldstart"]))
    fresh.pip("install", "--no-compile", f"{wheels['coldstart']}[{extras}]")
    fresh.pip("check")
    (fresh.away / "quick.toml").write_text(LEARNED)
    fresh.run("coldstart", "sample", "--out", "data", "--members", "200", "--movies", "60")
    train = "import coldstart; print(coldstart.train('data', progress=False, settings='quick.toml').publish('models'))"
    assert "is published and serves" in fresh.run("python", "-P", "-c", train)
    tried = ("--settings", "quick.toml", "--trials", "1", "--out", "settings.toml")
    assert "1 settings tried" in fresh.run("coldstart", "tune", "--data", "data", *tried)
    with fresh.serving("models") as address:
        assert fresh.run("coldstart", "ask", "rank", "--page-size", "2", "--address", address)


@in_ci
def test_both_wheels_in_one_environment_hold_the_same_client(installed, wheels):
    installed.pip("install", "--no-index", "--no-deps", str(wheels["coldstart_client"]))
    installed.pip("check")
    usage = installed.run("coldstart-client", "--help")
    assert usage.splitlines()[0] == installed.run("coldstart", "ask", "--help").splitlines()[0]


def test_the_client_in_both_wheels_is_the_same(wheels):
    service, client = files_of(wheels["coldstart"]), files_of(wheels["coldstart_client"])
    shared = {name for name in client if ".dist-info/" not in name}
    assert {name: service[name] for name in shared} == {name: client[name] for name in shared}
