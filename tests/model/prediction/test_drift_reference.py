"""What requests are compared with: bins that raters fill as they say, and nothing that can't be is taken for one."""

import json

import numpy as np
import pytest

from model.facts.evidence import MemberEvidence
from model.prediction.drift_reference import Binning, Reference

REFERENCES = {
    "an attribute that isn't there": lambda given: given["attributes"][0].update(position=99),
    "edges that don't ascend": lambda given: given["attributes"][0]["edges"].reverse(),
    "a share too few": lambda given: given["attributes"][0]["shares"].pop(),
    "no share at all": lambda given: given["predictions"]["rating"]["shares"]["plays"].__setitem__(0, 0),
    "text": lambda given: given["plays"].update(edges="abc"),
    "no predictions": lambda given: given.update(predictions={}),
}


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_a_reference_that_can_not_be_is_refused(small, name):
    given = json.loads((small.folder / "reference.json").read_text())
    Reference.from_dict(given).binning(small.model.schema)
    REFERENCES[name](given)
    with pytest.raises((ValueError, TypeError, LookupError)):
        Reference.from_dict(given).binning(small.model.schema)


def test_raters_fill_the_bins_of_the_reference_as_it_says(small):
    model, table = small.model, small.model.members
    facts = [table.find(member_id) for member_id in small.tables.ratings["member_id"].unique().to_list()]
    values = np.stack([member.attributes for member in facts])
    values = values[np.isfinite(values).any(axis=1)]
    counts = model.reference.binning(model.schema).counts(values)
    for expected, histogram in zip(model.reference.attributes, counts, strict=True):
        assert histogram.sum() == len(values)
        assert histogram / len(values) == pytest.approx(np.array(expected.shares), abs=0.1)
    assert set(model.reference.predictions["rating"].shares) <= {kind.name.lower() for kind in MemberEvidence}


def test_values_fall_into_the_bins_of_their_attribute(small):
    model = small.model
    numeric = next(own for own in model.schema.member_attributes if own.kind == "numeric")
    categorical = next(own for own in model.schema.member_attributes if own.kind == "categorical")
    binning = Binning([numeric, categorical], [(0, (10.0, 20.0)), (1, (0.0, 3.0))])
    values = np.array([[10, 3], [10.5, 0], [np.nan, 1], [21, np.nan], [-5, 3]], np.float32)
    assert [histogram.tolist() for histogram in binning.counts(values)] == [[2, 1, 1, 1], [1, 2, 1, 1]]
    assert [histogram.tolist() for histogram in binning.counts(values[:0])] == [[0] * 4, [0] * 4]
    assert Binning([numeric], []).counts(values) == []
