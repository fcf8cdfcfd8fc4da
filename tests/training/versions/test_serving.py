"""The version that serves is opened in one place, which says why where it can't be."""

import shutil

import pytest

from model.store.store import Store
from training.errors import NothingPublished, ServingModelError
from training.versions.serving import load_serving, open_serving, serving_version


@pytest.fixture
def store(small, tmp_path) -> Store:
    return Store(shutil.copytree(small.models, tmp_path / "models"))


def test_the_version_that_serves_is_opened_from_a_folder_or_an_address(store, small):
    for models in (store.root, f"file://{store.root}"):
        assert open_serving(models).version == small.version
    assert load_serving(store).version == serving_version(store) == small.version


def test_where_nothing_is_published_there_is_nothing_to_open(tmp_path):
    with pytest.raises(NothingPublished, match="no model is published there"):
        open_serving(tmp_path)
    assert serving_version(Store(tmp_path)) is None


@pytest.mark.parametrize(
    ("file", "text"), [("current", "doesn't name a version"), ("versions/{}/prior.npz", "prior.npz")]
)
def test_what_is_damaged_is_named(store, small, file, text):
    (store.root / file.format(small.version)).write_text("garbage")
    with pytest.raises(ServingModelError, match=text):
        load_serving(store)
