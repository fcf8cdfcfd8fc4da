"""A damaged model is refused by the name of its damaged file, and never crashes what loads it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from model.artifact.artifact import PIECES, load_model
from model.artifact.golden import PLAYS
from model.errors import ArtifactError
from model.facts.evidence import MemberEvidence
from model.facts.facts import MemberFacts, Play
from model.facts.member_table import FILES, RATING_FILES
from model.files.checked_array import piece_hashes
from model.files.manifest import FORMAT, read_manifest
from model.files.npz import arrays_from_bytes, arrays_to_bytes
from model.files.plain_files import VERSION_DIGITS
from model.prediction.model import Model
from model.prediction.predictions import ARRAYS

ROOT = Path(__file__).parents[3]
CORE = (
    "schema.json",
    "catalogue.npz",
    "prior.npz",
    "pairs.npz",
    "numbers.json",
    "reference.json",
    "calibration.npz",
    "trees.txt",
    "golden.npz",
)
TABLE = FILES + RATING_FILES
SERVED = (*CORE, *(f"members/{name}.npy" for name in TABLE), PIECES)
HASHED = (*SERVED, "report.json", "report.md", "report.html", "MODEL_CARD.md")


@pytest.fixture
def folder(small, tmp_path) -> Path:
    """A copy of the version that a test may damage."""
    return shutil.copytree(small.folder, tmp_path / small.version)


def sealed(folder: Path, **changed: object) -> Path:
    """The folder with a manifest that fits the files as they are now, renamed for its new version."""
    manifest = json.loads((folder / "manifest.json").read_text()) | changed
    ratings = any((folder / "members" / f"{name}.npy").exists() for name in RATING_FILES)
    files = [folder / "members" / f"{name}.npy" for name in (TABLE if ratings else FILES)]
    if all(path.exists() for path in (*files, folder / PIECES)) and (folder / PIECES).read_bytes() != b"nonsense":
        np.save(folder / PIECES, np.concatenate([piece_hashes(path) for path in files]))
    for name in list(manifest["files"]):
        if (folder / name).exists():
            content = (folder / name).read_bytes()
            manifest["files"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        else:
            del manifest["files"][name]
    content = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(content)
    return folder.rename(folder.with_name(hashlib.sha256(content).hexdigest()[:VERSION_DIGITS]))


def refusal(folder: Path) -> str:
    with pytest.raises(ArtifactError) as raised:
        load_model(folder)
    return str(raised.value)


def test_the_manifest_names_every_other_file_but_the_run(small):
    paths = {path.relative_to(small.folder).as_posix() for path in small.folder.rglob("*") if path.is_file()}
    assert set(small.model.manifest.files) == set(HASHED) == paths - {"manifest.json", "run.json"}


@pytest.mark.parametrize("name", HASHED)
def test_a_file_that_is_cut_short_changed_or_missing_is_named(folder, name):
    path = folder / name
    whole = path.read_bytes()
    middle = len(whole) // 2
    damaged = (
        whole[:middle],
        whole[:-1],
        b"",
        whole + b"\0",
        whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
    )
    for content in damaged:
        path.write_bytes(content)
        assert Path(name).name in refusal(folder)
    path.unlink()
    assert Path(name).name in refusal(folder)
    path.mkdir()
    assert Path(name).name in refusal(folder)


@pytest.mark.parametrize("name", ["manifest.json", "run.json"])
def test_what_stands_outside_the_hashes_is_checked_too(folder, name):
    path = folder / name
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"[]", b"{}", b"null", b"\xff\xfe"):
        path.write_bytes(content)
        assert name in refusal(folder)
    path.unlink()
    assert name in refusal(folder)


def test_a_changed_manifest_is_of_another_version(folder):
    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"seed": 0', b'"seed": 1'))
    assert refusal(folder) == "manifest.json isn't that of the version that its folder is named for"


def test_another_format_is_named_with_its_number(folder):
    message = refusal(sealed(folder, format=FORMAT + 1))
    assert f"has format {FORMAT + 1}" in message
    assert f"reads formats 3 and {FORMAT}" in message


def test_a_version_of_the_format_before_serves_and_takes_ratings_as_plays(folder):
    """Such a version knows no kinds of evidence with ratings: neither calibration nor golden predictions have them."""

    def changed(name: str, change) -> None:
        arrays = arrays_from_bytes((folder / name).read_bytes())
        (folder / name).write_bytes(arrays_to_bytes(change(arrays)))

    changed("prior.npz", lambda arrays: {key: arrays[key] for key in arrays if not key.startswith("rating_weights")})
    changed("calibration.npz", lambda arrays: {key: arrays[key] for key in arrays if key[0] not in "56"})
    ratings = ("rating_counts", "rated", "ratings")

    def unrated(arrays):
        members, movies = len(arrays["plays"]), len(arrays["rows"]) + 2
        kept = 4 * len(PLAYS)
        assert members == 6 * len(PLAYS)
        plays = int(arrays["plays"][:kept].sum())
        ends = {"attributes": kept * len(arrays["attributes"]) // members, "plays": kept, "member_evidence": kept}
        ends |= dict.fromkeys(("movies", "completion", "age_days"), plays) | dict.fromkeys(ARRAYS, kept * movies)
        return {key: arrays[key][: ends.get(key)] for key in arrays if key not in ratings}

    changed("golden.npz", unrated)
    for name in RATING_FILES:
        (folder / "members" / f"{name}.npy").unlink()
    model = load_model(sealed(folder, format=3))
    facts = MemberFacts.nothing(model.schema).with_plays([Play(0, rating=5.0), Play(1)], model.schema)
    predictions = model.predict(facts, [5, 6])
    assert predictions.member_evidence is MemberEvidence.PLAYS
    assert predictions.rating.tobytes() == model.predict(facts.without_ratings(), [5, 6]).rating.tobytes()


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert "manifest.json" in refusal(tmp_path / "nothing")
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        read_manifest(tmp_path / "nothing")


@pytest.mark.parametrize("name", SERVED)
def test_a_file_that_is_nonsense_under_a_manifest_that_fits_is_refused(folder, name):
    (folder / name).write_bytes(b"nonsense")
    refusal(sealed(folder))


@pytest.mark.parametrize("name", SERVED)
def test_a_file_that_the_manifest_does_not_list_is_missed(folder, name):
    (folder / name).unlink()
    refusal(sealed(folder))


@pytest.mark.parametrize("name", TABLE)
def test_a_table_of_members_whose_arrays_do_not_fit_each_other_is_refused(folder, name):
    path = folder / "members" / f"{name}.npy"
    np.save(path, np.load(path)[:-1])
    assert "members/" in refusal(sealed(folder))


@pytest.mark.parametrize("change", ["beyond", "below", "twice", "division"])
def test_members_whose_plays_can_not_be_are_unknown_and_the_others_are_served(folder, small, change):
    """A table is too large to be looked through when it is opened: what a row says is checked when it is asked for."""
    name = "starts" if change == "division" else "movies"
    path = folder / "members" / f"{name}.npy"
    array, starts = np.load(path), np.load(folder / "members" / "starts.npy")
    row = int(np.flatnonzero(np.diff(starts) > 2)[0])
    place = row + 1 if change == "division" else starts[row + 1] - 1
    array[place] = {"beyond": 10_000, "below": -5, "twice": array[place - 1], "division": starts[-1] + 1}[change]
    np.save(path, array)
    members, messages = load_model(sealed(folder)).members, []
    members.damage.listener = messages.append
    everyone = {*small.tables.plays["member_id"], *small.tables.members["member_id"]}
    lost = [member_id for member_id in everyone if members.find(member_id) is None]
    assert 1 <= len(lost) == len(messages) <= 2
    assert all(f"members/{name}.npy" in text for text in messages)
    assert len(list(members.spread(len(members)))) == len(members) - len(lost)


def test_trees_for_other_features_are_refused(folder):
    random = np.random.default_rng(1)
    rows = lightgbm.Dataset(random.normal(size=(100, 3)), random.normal(size=100))
    forest = lightgbm.train({"objective": "regression", "verbosity": -1, "min_data_in_leaf": 5}, rows, 1)
    (folder / "trees.txt").write_text(forest.model_to_string())
    assert "trees.txt isn't a forest on" in refusal(sealed(folder))


def test_another_order_of_features_is_refused(folder):
    numbers = json.loads((folder / "numbers.json").read_text())
    numbers["features"][:2] = numbers["features"][1::-1]
    (folder / "numbers.json").write_text(json.dumps(numbers))
    assert "features aren't those of this program" in refusal(sealed(folder))


def test_a_model_that_predicts_something_else_than_when_it_was_published_is_refused(folder):
    """Every file is as the manifest says and every part fits: only the golden predictions tell."""
    numbers = json.loads((folder / "numbers.json").read_text())
    (folder / "numbers.json").write_text(json.dumps(numbers | {"mean": numbers["mean"] + 1e-4}))
    assert "golden.npz" in refusal(sealed(folder))


def test_a_file_beside_those_listed_and_a_link_out_of_the_folder_are_refused(folder, tmp_path):
    for extra in (folder / "more.txt", folder / "members" / "more.npy"):
        extra.write_bytes(b"")
        assert refusal(folder) == "there is a file that the manifest doesn't list"
        extra.unlink()
    for name in ("prior.npz", "members/keys.npy", "run.json"):
        away = (folder / name).rename(tmp_path / "away")
        (folder / name).symlink_to(away)
        refusal(folder)
        (folder / name).unlink()
        os.mkfifo(folder / name)
        refusal(folder)
        (folder / name).unlink()
        away.rename(folder / name)
    assert load_model(folder).version == folder.name


@pytest.mark.parametrize("name", ["../prior.npz", "/etc/passwd", "a/b/c", ".hidden", "manifest.json", "members/"])
def test_a_manifest_can_not_lead_elsewhere(folder, name):
    manifest = json.loads((folder / "manifest.json").read_text())
    files = manifest["files"] | {name: {"size": 1, "sha256": "0" * 64}}
    content = json.dumps(manifest | {"files": files}).encode()
    (folder / "manifest.json").write_bytes(content)
    moved = folder.rename(folder.with_name(hashlib.sha256(content).hexdigest()[:VERSION_DIGITS]))
    assert refusal(moved) == "manifest.json lists a file that can't belong to a version"


NUMBERS = {
    "mean": float("nan"), "noise": -1.0, "noise_spread": -1.0, "mean_year": float("inf"), "grouped": [99],
    "tree_weights": {"2": 7.0}, "year_knots": [2000.0, 1990.0], "columns": ["quality"], "gammas": {"9": 1.0},
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(NUMBERS))
def test_a_number_that_can_not_be_is_refused(folder, name):
    numbers = json.loads((folder / "numbers.json").read_text())
    given = NUMBERS[name]
    numbers[name] = numbers[name] | given if isinstance(given, dict) else given
    (folder / "numbers.json").write_text(json.dumps(numbers))
    refusal(sealed(folder))


@pytest.mark.parametrize("file", ["prior.npz", "pairs.npz", "catalogue.npz", "calibration.npz"])
@pytest.mark.parametrize("harm", ["inf", "row", "column", "gone"])
def test_every_array_is_refused_or_predicts_the_same(folder, small, file, harm):
    """An array that is too long does no harm where nothing looks for its end."""
    sound = predictions(small.model)
    whole = arrays_from_bytes((folder / file).read_bytes())
    for name, array in whole.items():
        changed = array.copy()
        if harm == "gone":
            arrays = {key: value for key, value in whole.items() if key != name}
        elif harm == "inf" and array.dtype.kind == "f" and array.size:
            changed.flat[-1] = np.inf
            arrays = whole | {name: changed}
        elif harm == "row" and len(array):
            arrays = whole | {name: np.concatenate([changed, changed[:1]])}
        elif harm == "column" and array.ndim == 2:
            arrays = whole | {name: np.concatenate([changed, changed[:, :1]], axis=1)}
        else:
            continue
        (folder / file).write_bytes(arrays_to_bytes(arrays))
        folder = sealed(folder)
        try:
            assert predictions(load_model(folder)) == sound, (file, name)
        except ArtifactError:
            continue
        assert harm in ("row", "column") or name in ("titles", "play_weights", "movie_noise"), (
            file,
            name,
        )  # older versions lack them


def test_weights_that_an_older_version_lacks_are_zero_and_more_than_there_are_inputs_are_refused(folder):
    """The probability that a member has seen a movie had fewer inputs once."""
    arrays = arrays_from_bytes((folder / "prior.npz").read_bytes())
    weights = arrays["play_weights"]
    (folder / "prior.npz").write_bytes(arrays_to_bytes(arrays | {"play_weights": weights[:-1]}))
    folder = sealed(folder)
    assert load_model(folder).prior.play_weights.tolist() == [*weights[:-1], 0.0]
    (folder / "prior.npz").write_bytes(arrays_to_bytes(arrays | {"play_weights": np.append(weights, 0)}))
    refusal(sealed(folder))


def predictions(model: Model) -> list[bytes]:
    """Every number that a model predicts of all movies for some members."""
    members = [MemberFacts.nothing(model.schema), *model.members.spread(5)]
    movies = [*range(len(model.catalogue)), None]
    return [getattr(model.predict(member, movies), name).tobytes() for member in members for name in ARRAYS]


def test_a_model_that_was_copied_elsewhere_answers_the_same(folder, small):
    facts = small.model.members.find(small.tables.plays["member_id"][0])
    rows = list(range(len(small.model.catalogue)))
    assert load_model(folder).predict(facts, rows).rating.tolist() == small.model.predict(facts, rows).rating.tolist()


def test_nobody_is_named_in_the_files(small):
    """Members are found by a hash of their id: the files hold none."""
    content = b"".join((small.folder / name).read_bytes() for name in HASHED)
    assert not any(member_id.encode() in content for member_id in small.tables.members["member_id"])


def test_loading_again_and_again_keeps_no_memory(small):
    program = f"""
import gc
from pathlib import Path
from model.artifact.artifact import load_model
def kept():
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
growth = []
for _ in range(4):
    before = kept()
    for _ in range(12):
        load_model(Path({str(small.folder)!r}))
    growth.append((kept() - before) / 12)
print(min(growth))  # the allocator's caches fill in some of them; a leak shows in each
"""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert float(done.stdout) < 100, "kilobytes a load"


def test_titles_are_published_and_a_version_without_them_is_read_as_before(small, folder):
    titles = dict(small.tables.movies.select("movie_id", "title").iter_rows())
    catalogue = small.model.catalogue
    assert dict(zip(catalogue.movie_ids, catalogue.titles, strict=True)) == titles
    arrays = arrays_from_bytes((folder / "catalogue.npz").read_bytes())
    del arrays["titles"]
    (folder / "catalogue.npz").write_bytes(arrays_to_bytes(arrays))
    older = load_model(sealed(folder)).catalogue
    assert (older.movie_ids, set(older.titles)) == (catalogue.movie_ids, {""})


@pytest.mark.parametrize("titles", [b'"one"', b"[1]", b"nonsense"])
def test_titles_that_do_not_fit_the_movies_are_refused(folder, titles):
    arrays = arrays_from_bytes((folder / "catalogue.npz").read_bytes())
    (folder / "catalogue.npz").write_bytes(arrays_to_bytes(arrays | {"titles": np.frombuffer(titles, np.uint8)}))
    with pytest.raises(ArtifactError, match=r"catalogue\.npz"):
        load_model(sealed(folder))
