"""Tells operators when a damaged file of the members' table hides members."""

import logging

from model.prediction.model import Model
from service.telemetry.logs import tell
from service.telemetry.metrics.service_metrics import Metrics


def tell_of_damage(model: Model, metrics: Metrics) -> None:
    """Count every lookup of the model's members that damage makes impossible, and log each kind of damage once."""
    told: set[str] = set()

    def listener(reason: str) -> None:
        metrics.damaged_lookup()
        if reason not in told:
            told.add(reason)
            tell(logging.ERROR, "members_damaged", version=model.version, reason=reason)

    model.members.damage.listener = listener
