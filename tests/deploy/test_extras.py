"""The image's extras: a lock with hashes for each, which agree with one another and with the image's own lock."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXTRAS = ROOT / "deploy" / "extras"
[NAMES] = re.findall(r"^EXTRAS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)


def pins(lock: Path) -> dict[str, str]:
    """Versions by package; every package must have hashes."""
    text = lock.read_text()
    found = {}
    for entry in re.split(r"\n(?=[a-z0-9])", text):
        match = re.match(r"([a-z0-9-]+)==(\S+)", entry)
        if match:
            assert "--hash=sha256:" in entry, match[1]
            found[match[1]] = match[2]
    return found


@pytest.mark.parametrize("name", NAMES.split())
def test_each_extra_of_the_image_is_locked_with_hashes_and_adds_to_its_own_lock(name):
    locked, own = pins(EXTRAS / f"{name}.lock"), pins(ROOT / "requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in project["optional-dependencies"][name]:
        assert re.split(r"[>=]", requirement)[0] in locked
    assert not locked.keys() & own.keys()


def test_the_locks_of_all_extras_go_together():
    together: dict[str, str] = {}
    for lock in sorted(EXTRAS.glob("*.lock")):
        for package, version in pins(lock).items():
            assert together.setdefault(package, version) == version, package
    assert {lock.stem for lock in EXTRAS.glob("*.lock")} == set(NAMES.split())


def test_the_dockerfile_names_the_locks_that_there_are():
    """The shell of the build step, on its own."""
    [loop] = re.findall(r"\$\((for extra in .*?done)\)", (ROOT / "Dockerfile").read_text())
    named = subprocess.run(["sh", "-c", loop], env={"EXTRAS": NAMES}, capture_output=True, text=True, check=True).stdout
    files = named.replace("-r extras/", "").split()
    assert files == [f"{name}.lock" for name in NAMES.split()]
    assert all((EXTRAS / file).exists() for file in files)
    assert "!deploy/extras\n" in (ROOT / ".dockerignore").read_text()
