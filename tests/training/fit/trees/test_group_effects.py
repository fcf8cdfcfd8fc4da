"""Group effects are 0, without any warning, for an attribute that no rater of a training fold has."""

import numpy as np
import polars as pl

from training.data.dataset import read_dataset
from training.fit.folds import fold_data
from training.fit.trees.group_effects import group_residuals


def test_an_attribute_of_one_rater_has_no_effect_without_the_ratings_of_that_rater(passes, write_data, tables):
    badge = pl.when(pl.col("member_id") == "r00").then(pl.lit("gold"))
    folder = write_data("parquet", members=tables["members"].with_columns(badge=badge))
    _, data, _ = read_dataset(folder, 1)
    place = [attribute.name for attribute in data.schema.member_attributes].index("badge")
    folded = fold_data(passes, data, 2, 0, 1)
    fold = int(folded.fold_of[data.member_ids.index_of("r00")])
    without, whole = (folded.learned(number, np.ones(len(data.member_ids))) for number in (fold, 2))
    assert not group_residuals(passes, without, data.schema, (place,)).any()
    assert np.isfinite(group_residuals(passes, whole, data.schema, (place,))).all()
