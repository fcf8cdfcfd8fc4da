"""What holds for the project as a whole."""

import ast
import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("benchmarks", "coldstart", "features", "model", "service", "training")
CLIENT = ROOT / "client" / "coldstart_client"
LOCKS = ("requirements.lock", "requirements-dev.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SOURCES = [
    path
    for folder in (*PACKAGES, "client", "tests")
    for path in (ROOT / folder).rglob("*.py")
    if "_pb2" not in path.name
]
CODE = [path for path in SOURCES if "tests" not in path.parts]
RUNS_FOREIGN_CODE = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "yaml"}
EVALUATES = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "literal_eval",
    "read_array",
    "fromregex",
    "loadtxt",
    "genfromtxt",
}
MOST_LINES = 400
HOUSE = ("features", "model", "training", "service", "client/coldstart_client")
MOST_ENTRIES = 12
EMPTY_WORDS = {"told", "found", "said"}
IN_EVERY_PACKAGE = {"errors", "settings"}
TOLD_BY_THEIR_FOLDER = {"evaluate", "sample"}
"""Commands that are named for what they run."""


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def requirements(lock: str) -> list[str]:
    """The lines of each requirement joined."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]


def name_of(requirement: str) -> str:
    return re.split(r"[=<>~;\[ ]", requirement, maxsplit=1)[0].lower()


def test_no_installed_distribution_claims_the_names_of_our_packages():
    claimed = importlib.metadata.packages_distributions()
    assert {name: claimed[name] for name in PACKAGES if name in claimed} == {}


def test_our_packages_are_imported_from_the_project():
    for name in PACKAGES:
        assert {Path(place) for place in __import__(name).__path__} == {ROOT / name}
    assert {Path(place) for place in __import__(CLIENT.name).__path__} == {CLIENT}


@pytest.mark.parametrize(
    "lock", [*LOCKS, "benchmarks/peers/requirements.lock", "benchmarks/privacy/lab/requirements.lock"]
)
def test_every_locked_requirement_has_one_version_and_hashes_and_names_no_place(lock):
    found = requirements(lock)
    assert len(found) >= 10
    for requirement in found:
        assert re.match(r"[A-Za-z0-9._-]+==[^ ;]+ ", requirement), requirement[:80]
        assert "--hash=sha256:" in requirement, requirement[:80]
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert "index" not in text


def test_the_service_is_locked_with_what_it_needs_and_without_development_tools():
    locked = {name_of(requirement) for requirement in requirements("requirements.lock")}
    assert {name_of(wanted) for wanted in PROJECT["dependencies"]} <= locked
    assert not locked & {"pytest", "ruff", "mypy", "hypothesis", "import-linter", "grpcio-tools"}


def test_both_locks_have_the_same_versions():
    runtime, development = ({name_of(one): one.split()[0] for one in requirements(lock)} for lock in LOCKS)
    assert runtime.items() <= development.items()


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_every_file_says_its_job_first_and_is_short(path):
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "the first line of a file is its job"
    assert len(text.splitlines()) <= MOST_LINES


def folders() -> list[Path]:
    return [
        folder
        for package in HOUSE
        for folder in (ROOT / package, *(ROOT / package).rglob("*"))
        if folder.is_dir() and folder.name != "__pycache__"
    ]


@pytest.mark.parametrize("folder", folders(), ids=named)
def test_a_folder_has_room_and_says_its_job(folder):
    entries = {entry.name for entry in folder.iterdir()} - {"__pycache__"}
    assert len(entries) <= MOST_ENTRIES
    assert "__init__.py" in entries


def test_a_module_name_stands_in_one_place_of_the_house():
    names = [path.stem for folder in folders() for path in folder.glob("*.py") if not path.stem.startswith("__")]
    assert {name for name in names if names.count(name) > 1} <= IN_EVERY_PACKAGE | TOLD_BY_THEIR_FOLDER


def identifiers(tree: ast.AST) -> set[str]:
    """Every name that the code defines or sets."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias) and node.asname:
            names.add(node.asname)
    return names


@pytest.mark.parametrize("package", HOUSE)
def test_names_say_what_they_hold(package):
    for path in (ROOT / package).rglob("*.py"):
        if "_pb2" not in path.name:
            for name in identifiers(ast.parse(path.read_text(encoding="utf-8"))):
                parts = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_")
                assert not set(parts) & EMPTY_WORDS, f"{named(path)}: {name}"
                assert name != "one", named(path)


@pytest.mark.parametrize("path", CODE, ids=named)
def test_nothing_that_is_read_can_run_code(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not {alias.name.split(".")[0] for alias in node.names} & RUNS_FOREIGN_CODE
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in RUNS_FOREIGN_CODE
        if isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            owner = node.func.value if isinstance(node.func, ast.Attribute) else None
            regular = isinstance(owner, ast.Name) and owner.id == "re"
            of_polars = isinstance(owner, ast.Attribute) and owner.attr == "list"
            sound = (called == "compile" and regular) or (called == "eval" and of_polars)
            assert called not in EVALUATES or sound, f"line {node.lineno}"
            if called in ("load", "save") and isinstance(owner, ast.Name) and owner.id == "np":
                assert "allow_pickle" in {keyword.arg for keyword in node.keywords}, f"line {node.lineno}"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert isinstance(node.value, ast.Constant)
            assert node.value.value is False


def test_the_newest_entry_of_the_changelog_is_the_version():
    newest = re.search(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest
    assert newest[1] == PROJECT["version"]


def test_the_image_holds_every_package_that_it_needs_and_nothing_from_elsewhere():
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (\w+) \1$", dockerfile, re.MULTILINE)
    assert sorted(copied) == sorted(set(PACKAGES) - {"benchmarks", "coldstart"})
    assert "COPY client/coldstart_client coldstart_client" in dockerfile
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert all(f"!{name}" in ignored for name in [*copied, "client/coldstart_client", "requirements.lock", "LICENSE"])
    assert "--require-hashes -r requirements.lock" in dockerfile
    assert re.search(r"^USER (?!root|0)", dockerfile, re.MULTILINE)
    assert "index-url" not in dockerfile


def test_the_package_can_not_be_uploaded_by_mistake():
    assert "Private :: Do Not Upload" in PROJECT["classifiers"]
    assert PROJECT["license"] in (ROOT / "README.md").read_text()
