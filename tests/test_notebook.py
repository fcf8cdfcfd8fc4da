"""The worked notebook of the documentation runs whole, and shows what it says that it shows."""

import os
from pathlib import Path

import pytest

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

import nbclient
import nbformat

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """The cells of the notebook after it has been run, away from the checkout."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs aren't committed"
    os.environ["PYTHONPATH"] = f"{ROOT}:{ROOT / 'client'}"
    folder = tmp_path_factory.mktemp("notebook")
    client = nbclient.NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(folder)}})
    return client.execute().cells


def outputs(cells, beginning: str):
    [cell] = [cell for cell in cells if cell.source.startswith(beginning)]
    return cell.outputs


def version_of(published) -> str:
    return published[-1]["data"]["text/plain"].strip("'")


@pytest.mark.skipif("CI" not in os.environ, reason="takes a minute")
@pytest.mark.filterwarnings("ignore")  # of the kernel's own packages
def test_the_notebook_runs_whole_and_shows_tables_charts_and_refusals(cells):
    [shown] = outputs(cells, "model.evaluation.scores")
    assert "attributes and plays" in shown["data"]["text/plain"]
    [page] = next(cell.outputs for cell in cells if cell.source == "model.evaluation")
    assert page["data"]["text/html"].startswith("<iframe srcdoc=")
    assert page["data"]["text/html"].count("&lt;svg") > 10
    [refusal] = outputs(cells, "try:")
    assert "ratings, column rating: the column is missing" in refusal["text"]
    progress, *others = outputs(cells, "model = coldstart.train")
    assert progress["data"]["text/plain"].endswith("s  the gate"), "steps are shown in place"
    assert "".join(output["text"] for output in others).strip() == version_of(outputs(cells, "print(model.publish"))
    [published, version] = outputs(cells, "print(model.publish")
    assert "is published and serves" in published["text"]
    assert version_of([version]) in published["text"]
