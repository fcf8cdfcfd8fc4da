"""The bill of materials names every locked package with the hashes of its files, and is valid CycloneDX."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()


@pytest.fixture(scope="module")
def make_bill(tmp_path_factory):
    """Runs the commands of `make sbom` with the file in a folder of the test's own; its text."""
    listed = subprocess.run(["make", "-n", "sbom"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    [command] = [line for line in listed.splitlines() if "cyclonedx_py" in line]

    def run() -> str:
        written = tmp_path_factory.mktemp("sbom") / "sbom.json"
        here = command.replace(".venv/bin/python", sys.executable).replace("build/sbom.json", str(written))
        done = subprocess.run(here, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S602
        assert done.stderr == ""
        return written.read_text()

    return run


@pytest.fixture(scope="module")
def text(make_bill) -> str:
    return make_bill()


def test_it_is_valid_and_the_same_each_time(make_bill, text):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert make_bill() == text


def test_its_subject_is_the_project(text):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    subject = json.loads(text)["metadata"]["component"]
    assert (subject["name"], subject["version"]) == (project["name"], project["version"])
    assert subject["licenses"][0]["license"]["id"] == project["license"]


def test_it_lists_every_locked_package_with_its_hashes(text):
    locked = {
        (name, version): set(re.findall(r"--hash=sha256:([0-9a-f]{64})", rest))
        for name, version, rest in re.findall(r"^([\w-]+)==(\S+)(.*?(?:\n .*)*)$", LOCK, re.MULTILINE)
    }
    listed = {
        (component["name"], component["version"]): {
            entry["content"] for reference in component["externalReferences"] for entry in reference["hashes"]
        }
        for component in json.loads(text)["components"]
    }
    assert len(locked) > 20
    assert listed == locked
