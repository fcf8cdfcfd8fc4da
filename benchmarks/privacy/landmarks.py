"""Reconstructs plays and attributes of raters from the landmarks of a version's regressions.

A landmark is a mean of what a regression sees of raters' views: attributes, the number of plays, and sums of the
movies' columns over them. All of that but the plays is published with the movies, so the plays of a landmark of one
view are the solution of linear equations with unknowns from 0 to 1, found by linear programming.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from features.plays import PRIOR_PLAYS, names
from model.facts.evidence import MemberEvidence
from model.prediction.model import Model
from model.prediction.prior.kernel_regression import KernelRegression, squared_distances
from model.prediction.prior.member_inputs import MovieColumns, of_attributes
from training.data.dataset import encode_columns
from training.data.reading.tables import Tables

Array = NDArray[np.float64]

PLAY_BINS = (1, 3, 10, 30, 100)
"""Lower ends of the groups of landmarks by number of plays."""
SAME = 1e-6
"""Squared distance up to which attributes are those of a landmark."""


def landmark_report(
    model: Model, tables: Tables, plays: NDArray[np.bool_], most: int, random: np.random.Generator
) -> dict[str, Any]:
    """Return how many landmarks give one rater's plays away, by number of plays, or one rater's attributes.

    `plays` (N, M) is who really played what. The control says of as many of the most popular movies what is said of the
    recovered plays: whoever played most holds many of these.
    """
    head = model.prior.heads[MemberEvidence.ATTRIBUTES_AND_PLAYS]
    chosen = random.permutation(len(head.landmarks))[:most]
    popular = np.argsort(-plays.sum(axis=0), kind="stable")
    groups: dict[str, list[tuple[float, bool, float]]] = {}
    for inputs in unscaled(head, head.landmarks[chosen]):
        recovered = reconstruct(model.prior.columns, inputs)
        held, control = (plays[:, movies].sum(axis=1) for movies in (recovered, popular[: len(recovered)]))
        group = max(low for low in PLAY_BINS if low <= max(len(recovered), 1))
        alone = int((held == held.max()).sum()) == 1
        groups.setdefault(f"{group} or more plays", []).append(
            (held.max() / max(len(recovered), 1), alone, control.max() / max(len(recovered), 1))
        )
    return {
        "landmarks": len(head.landmarks),
        "reconstructed": {
            name: {
                "landmarks": len(rows),
                "plays_right_percent": round(100 * float(np.mean([share for share, _, _ in rows])), 1),
                "one_rater_fits_best_percent": round(100 * float(np.mean([alone for _, alone, _ in rows])), 1),
                "control_right_percent": round(100 * float(np.mean([control for _, _, control in rows])), 1),
            }
            for name, rows in sorted(groups.items(), key=lambda item: int(item[0].split()[0]))
        },
        "attributes": _attributes(model, tables),
    }


def unscaled(head: KernelRegression, landmarks: Array) -> Array:
    """Return (L, D) inputs of landmarks as they were before scaling; NaN for inputs that the RBF features ignore."""
    factor = head.scale * head.rbf_mask
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(factor != 0, landmarks / factor + head.centre, np.nan)


def reconstruct(columns: MovieColumns, inputs: Array) -> NDArray[np.int64]:
    """Return the rows of the movies whose plays give these inputs (D,), as many as the inputs say.

    Columns and tastes are shrunk means over plays, from which sums follow; the coordinates of the embedding are sums up
    to one unknown factor, which is solved for too.
    """
    own = names(columns.names)
    count = max(round(float(np.expm1(inputs[own.index("log_plays")]))), 1)
    first = len(own) - len(columns.names)
    summed = np.concatenate([columns.columns, columns.taste], axis=1).astype(np.float64)
    ends = len(own) + columns.taste.shape[1]
    means, embedded = inputs[first:ends], inputs[ends : ends + columns.embedding.shape[1]]
    known, seen = np.isfinite(means), np.isfinite(embedded)
    rows = [
        np.append(np.ones(len(summed)), 0.0)[None],
        np.column_stack([summed[:, known].T, np.zeros(int(known.sum()))]),
        np.column_stack([columns.embedding[:, seen].astype(np.float64).T, -embedded[seen]]),
    ]
    right = np.concatenate([[count], means[known] * (count + PRIOR_PLAYS), np.zeros(int(seen.sum()))])
    shares = _least_deviations(np.concatenate(rows), right)
    return np.sort(np.argsort(-shares, kind="stable")[:count])


def _least_deviations(matrix: Array, right: Array) -> Array:
    """Return (M,) unknowns from 0 to 1, besides a last positive one, with the least sum of absolute deviations."""
    size, scale = matrix.shape[1], np.abs(matrix).max(axis=1) + 1e-12
    matrix, right = matrix / scale[:, None], right / scale
    slack = np.eye(len(right))
    solved = linprog(
        np.concatenate([np.zeros(size), np.ones(2 * len(right))]),
        A_eq=np.concatenate([matrix, slack, -slack], axis=1), b_eq=right,
        bounds=[*[(0, 1)] * (size - 1), *[(0, None)] * (1 + 2 * len(right))],
        method="highs-ipm",  # seconds for a mean of views, where the simplex method needs many minutes
    )  # fmt: skip
    return np.asarray(solved.x[: size - 1])


def _attributes(model: Model, tables: Tables) -> dict[str, Any]:
    """Return how many landmarks of the regression from attributes alone have the attributes of just one rater."""
    head = model.prior.heads[MemberEvidence.ATTRIBUTES]
    ids = tables.member_ids.gather(tables.play_table.raters).to_frame("member_id")
    rows = ids.join(tables.members, on="member_id", how="left", maintain_order="left")
    encoded = of_attributes(encode_columns(rows, model.schema.member_attributes), model.schema)
    same = squared_distances(head.scaled(encoded) * head.rbf_mask, head.landmarks) < SAME
    holders = same.sum(axis=0)
    return {
        "landmarks": len(head.landmarks),
        "with_all_attributes_of_a_rater": int((holders > 0).sum()),
        "of_just_one_rater": int((holders == 1).sum()),
    }
