"""What the service serves is what the definitions state, each metric once."""

import pytest

from service.telemetry.drift.drift_index import DriftWindow
from service.telemetry.metric_definitions import DEFINITIONS, GaugeDefinition
from service.telemetry.metrics.metric_registry import MetricRegistry
from service.telemetry.metrics.service_metrics import Metrics
from service.telemetry.metrics.supervisor_metrics import SupervisorMetrics

LIBRARY_PREFIXES = ("process_", "python_")


@pytest.fixture(scope="module")
def families():
    """The metrics of a worker, of the supervisor and of drift, by name."""
    every = [*Metrics().snapshot(), *SupervisorMetrics().snapshot(), *DriftWindow(lambda: 0.0).families()]
    own = [family for family in every if not family.name.startswith(LIBRARY_PREFIXES)]
    assert len({family.name for family in own}) == len(own)
    return {f"{family.name}_total" if family.kind == "counter" else family.name: family for family in own}


def test_every_definition_is_served_in_its_order_and_nothing_else(families):
    assert list(families) == [definition.name for definition in DEFINITIONS]


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.name)
def test_a_metric_is_served_as_defined(families, definition):
    family = families[definition.name]
    assert (family.kind, family.text) == (definition.kind.split()[0], definition.help_text)
    for _, labels, _ in family.series:
        assert set(labels) - {"le"} == set(definition.labels)


def test_a_gauge_is_merged_as_defined(families):
    for definition in DEFINITIONS:
        if isinstance(definition, GaugeDefinition) and definition.merge is not None:
            assert families[definition.name].merge == definition.merge


def test_a_name_is_registered_once():
    registry = MetricRegistry()
    gauge = next(definition for definition in DEFINITIONS if isinstance(definition, GaugeDefinition))
    registry.gauge(gauge)
    with pytest.raises(ValueError, match="Duplicated"):
        registry.gauge(gauge)
