"""Writes what the image is made of as CycloneDX JSON, from the lock file: `make sbom`, into build/sbom.json.

Python packages with their versions, hashes and who needs whom. What the base image brings is not in it: scan that with
the tool of your registry.
"""

import argparse
import json
import re
import sys
import tomllib
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1]
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: ?; ?([^\\]+?))? *\\?$")
HASH = re.compile(r"^ +--hash=sha256:([0-9a-f]{64})")
VIA = re.compile(r"^ +#(?: via)?(?: +(\S+))?")


@dataclass
class Package:
    """One line of the lock file with all that is said below it."""

    name: str
    version: str
    marker: str
    """Where it is needed only in some environments; else empty."""
    hashes: list[str] = field(default_factory=list)
    """sha256 of every file of it that may be installed."""
    needed_by: list[str] = field(default_factory=list)
    """Names of packages; the project's own file is left out."""

    @property
    def purl(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{self.name.lower().replace('_', '-')}@{self.version}"


def packages(lock: str) -> list[Package]:
    """The packages of a lock file that uv has written; raises ValueError for a line that says something else."""
    found: list[Package] = []
    for line in lock.splitlines():
        if pinned := PINNED.match(line):
            found.append(Package(pinned[1], pinned[2], (pinned[3] or "").strip()))
        elif hashed := HASH.match(line):
            found[-1].hashes.append(hashed[1])
        elif via := VIA.match(line):
            found[-1].needed_by += [via[1]] if via[1] else []
        elif line.strip() and not line.startswith("#"):
            raise ValueError(f"the lock file has a line that isn't understood: {line!r:.80}")
    return found


def bill(lock: str, project: dict[str, Any]) -> dict[str, Any]:
    """The bill of materials of a project with these locked dependencies: the same for the same lock file."""
    found = packages(lock)
    own = f"{project['name']}@{project['version']}"
    needs: dict[str, list[str]] = {own: [], **{one.purl: [] for one in found}}
    purls: dict[str, list[str]] = {}
    for one in found:  # a package may have a line for each of several Pythons
        purls.setdefault(one.name, []).append(one.purl)
    for one in found:
        for name in one.needed_by:
            for above in purls.get(name, [own]):
                needs[above].append(one.purl)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, own + lock)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application", "bom-ref": own, "name": project["name"], "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
            },
        },
        "components": [_component(one) for one in found],
        "dependencies": [{"ref": ref, "dependsOn": sorted(set(below))} for ref, below in needs.items()],
    }  # fmt: skip


def _component(one: Package) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": "library", "bom-ref": one.purl, "name": one.name, "version": one.version, "purl": one.purl,
        "externalReferences": [
            {"type": "distribution", "url": one.purl, "hashes": [{"alg": "SHA-256", "content": each}]}
            for each in one.hashes
        ],
    }  # fmt: skip
    if one.marker:
        told["properties"] = [{"name": "coldstart:marker", "value": one.marker}]
    return told


def main() -> int:
    """Read the options and write the file."""
    parser = argparse.ArgumentParser("python deploy/sbom.py", description=__doc__)
    parser.add_argument("--out", type=Path, default=PROJECT / "build" / "sbom.json", help="[default: build/sbom.json]")
    told = parser.parse_args()
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    made = bill((PROJECT / "requirements.lock").read_text(encoding="utf-8"), project)
    told.out.parent.mkdir(parents=True, exist_ok=True)
    told.out.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    print(f"{len(made['components'])} components in {told.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
