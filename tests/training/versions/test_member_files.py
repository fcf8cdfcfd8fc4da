"""The member table of a version is written partition by partition, and doesn't depend on how the data are divided."""

from dataclasses import replace

import numpy as np

from model.artifact.artifact import MEMBERS
from model.facts.member_table import FILES, RATING_FILES
from training.data.dataset import make_dataset
from training.data.passes.play_table import play_table, write_play_table
from training.versions.member_files import write_members


def test_the_files_are_those_of_the_version_however_the_members_are_divided(small, tmp_path):
    data = make_dataset(small.tables, small.model.schema)
    rows, members = data.play_table.collect(), len(data.member_ids)
    (tmp_path / "partitions").mkdir()
    tables = (play_table(rows, members, 100), write_play_table([rows], members, tmp_path / "partitions", 1000))
    for number, table in enumerate(tables):
        assert len(table.partitions) > 2
        write_members(tmp_path / str(number), replace(data, play_table=table))
        for name in (*FILES, *RATING_FILES):
            written = (tmp_path / str(number) / f"{name}.npy").read_bytes()
            assert written == (small.folder / MEMBERS / f"{name}.npy").read_bytes(), name


def test_members_without_attributes_or_plays_are_written_too(small, tmp_path):
    data = make_dataset(small.tables, replace(small.model.schema, member_attributes=()))
    nobody_plays = play_table(data.play_table.collect().clear(), len(data.member_ids))
    write_members(tmp_path / "members", replace(data, play_table=nobody_plays))
    shapes = [np.load(tmp_path / "members" / f"{name}.npy", mmap_mode="r").shape for name in FILES]
    count = len(data.member_ids)
    assert shapes == [(count, 2), (count, 0), (count + 1,), (0,), (0,), (0,)]
    assert not any((tmp_path / "members" / f"{name}.npy").exists() for name in RATING_FILES)
