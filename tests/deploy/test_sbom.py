"""The bill of materials names every locked package, with its files' hashes and what needs it."""

import importlib.util
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = """numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:{a} \\
    --hash=sha256:{b}
    # via
    #   coldstart (pyproject.toml)
    #   sci-py
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:{b}
    # via sci-py
Sci_py==1.0 \\
    --hash=sha256:{a}
    # via coldstart (pyproject.toml)
""".format(a="a" * 64, b="b" * 64)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "deploy" / "sbom.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_versions_hashes_markers_and_needs_are_those_of_the_lock(script):
    made = script.bill(LOCK.replace("Sci_py", "sci-py"), {"name": "own", "version": "1", "license": "Apache-2.0"})
    assert [one["purl"] for one in made["components"]] == [
        "pkg:pypi/numpy@2.4.6", "pkg:pypi/numpy@2.5.5", "pkg:pypi/sci-py@1.0",
    ]  # fmt: skip
    first = made["components"][0]
    assert [one["hashes"][0]["content"][0] for one in first["externalReferences"]] == ["a", "b"]
    assert first["properties"] == [{"name": "coldstart:marker", "value": "python_full_version < '3.12'"}]
    assert {one["ref"]: one["dependsOn"] for one in made["dependencies"]} == {
        "own@1": ["pkg:pypi/numpy@2.4.6", "pkg:pypi/sci-py@1.0"],
        "pkg:pypi/numpy@2.4.6": [],
        "pkg:pypi/numpy@2.5.5": [],
        "pkg:pypi/sci-py@1.0": ["pkg:pypi/numpy@2.4.6", "pkg:pypi/numpy@2.5.5"],
    }


def test_every_locked_package_is_in_the_bill_of_the_project_and_every_need_is_one_of_them(script):
    lock = (ROOT / "requirements.lock").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    made = script.bill(lock, project)
    assert made == script.bill(lock, project), "the same for the same lock file"
    locked = [line.split("==")[0] for line in lock.splitlines() if "==" in line and not line.startswith(" ")]
    assert [one["name"] for one in made["components"]] == locked
    assert all(one["externalReferences"] for one in made["components"])
    refs = {one["ref"] for one in made["dependencies"]}
    assert refs == {f"{project['name']}@{project['version']}", *(one["bom-ref"] for one in made["components"])}
    needed = {ref for one in made["dependencies"] for ref in one["dependsOn"]}
    assert needed == refs - {f"{project['name']}@{project['version']}"}, "nothing is there that nobody needs"


def test_a_line_of_another_kind_is_refused(script):
    with pytest.raises(ValueError, match="isn't understood"):
        script.packages("numpy @ file:///somewhere\n")
