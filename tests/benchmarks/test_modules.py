"""Every benchmark can be imported, so that a moved name is noticed before somebody runs it."""

from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOREIGN = {
    "benchmarks.peers.raters_by_myfm", "benchmarks.peers.with_cmfrec", "benchmarks.peers.with_myfm",
    "benchmarks.privacy.lab.with_dp_accounting",
    "benchmarks.speed.mlserver_client",
}  # fmt: skip
"""Modules that need an environment of their own."""
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "benchmarks").rglob("*.py")
    if path.name != "__main__.py"
)


@pytest.mark.parametrize("name", [name for name in MODULES if name not in FOREIGN])
def test_a_module_can_be_imported(name):
    import_module(name)


def test_every_module_that_the_readme_runs_is_one():
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    named = {part for part in text.replace("`", " ").split() if part.startswith("benchmarks.")}
    assert named
    assert named <= {*MODULES, "benchmarks.privacy", "benchmarks.speed"}
