"""Definitions of all metrics: name, help text, labels, buckets, and how values of several processes are merged."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from service.telemetry.merging import Merge


@dataclass(frozen=True)
class MetricDefinition(ABC):
    """Description of a metric for Prometheus."""

    name: str
    help_text: str
    labels: Sequence[str] = ()

    @property
    @abstractmethod
    def kind(self) -> str:
        """Type of the metric, as shown in the table of metrics."""


class CounterDefinition(MetricDefinition):
    """A counter, which never decreases."""

    kind = "counter"


@dataclass(frozen=True)
class GaugeDefinition(MetricDefinition):
    """A gauge, which can go up and down."""

    merge: Merge | None = None
    """How the values of several workers are merged; None for a gauge that only the supervisor has."""

    @property
    def kind(self) -> str:
        """Type of the metric, with the merge method."""
        return "gauge" if self.merge is None else f"gauge ({self.merge})"


@dataclass(frozen=True, kw_only=True)
class HistogramDefinition(MetricDefinition):
    """A histogram, with the same buckets for all series."""

    buckets: Sequence[float]
    """Upper bounds in ascending order; Prometheus adds infinity."""
    kind = "histogram"


# Calls, named as in go-grpc-prometheus

METHOD = ("grpc_type", "grpc_service", "grpc_method")
CALLS_STARTED = CounterDefinition("grpc_server_started_total", "Calls begun.", METHOD)
CALLS_HANDLED = CounterDefinition("grpc_server_handled_total", "Calls ended, by status code.", (*METHOD, "grpc_code"))
MESSAGES_RECEIVED = CounterDefinition("grpc_server_msg_received_total", "Messages received.", METHOD)
MESSAGES_SENT = CounterDefinition("grpc_server_msg_sent_total", "Messages sent.", METHOD)
CALL_SECONDS = HistogramDefinition(
    "grpc_server_handling_seconds",
    "Time from a call's begin to its end.",
    METHOD,
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
"""The buckets cover small requests, which take about a millisecond, as well as bulk streams."""

# Answers

POSITIONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
PREDICTIONS = CounterDefinition(
    "coldstart_predictions_total",
    "Predictions answered, by what was known of the member and of the movie.",
    ("member_evidence", "movie_evidence"),
)
RATING_POSITION = HistogramDefinition(
    "coldstart_predicted_rating_position",
    "Predicted ratings, from 0 at the low end of the rating scale to 1 at the high end.",
    buckets=POSITIONS,
)
INTERVAL_WIDTH = HistogramDefinition(
    "coldstart_interval_width_position",
    "Widths of the 90 % intervals, as shares of the rating scale.",
    buckets=POSITIONS,
)
UNKNOWN_MOVIES = CounterDefinition(
    "coldstart_unknown_movies_total", "Movies asked for or played that the catalogue lacks."
)
UNKNOWN_MEMBERS = CounterDefinition(
    "coldstart_unknown_members_total",
    "Requests whose member_id neither the model's table of members knows nor the store beside it.",
)
STORE_LOOKUPS = CounterDefinition(
    "coldstart_member_store_lookups_total",
    "Members looked up in the store of --members: found, unknown, failed or late, or skipped while it fails.",
    ("result",),
)
DAMAGED_LOOKUPS = CounterDefinition(
    "coldstart_damaged_member_lookups_total",
    "Requests whose member could not be looked up because a file of the members' table is damaged there.",
)
UNUSED_ATTRIBUTES = CounterDefinition(
    "coldstart_unused_attributes_total", "Attribute values that the model could not use, by reason.", ("reason",)
)
STAGE_SECONDS = HistogramDefinition(
    "coldstart_stage_seconds",
    "Time of each stage of an answer.",
    ("stage",),
    buckets=(0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1.0),
)

# Models: served versions, loads and refusals, and the comparison with a candidate

MODEL_INFO = GaugeDefinition(
    "coldstart_model_info", "1 for each model that is served.", ("model", "version", "format"), Merge.MAX
)
MODEL_BEHIND = GaugeDefinition(
    "coldstart_model_behind", "1 while the version that the store names can't be loaded.", ("model",), Merge.MAX
)
ANSWERS = CounterDefinition("coldstart_answers_total", "Answers by the model that gave them.", ("model",))
MODEL_TRAINED = GaugeDefinition(
    "coldstart_model_trained_timestamp_seconds",
    "When the model that is served was trained, in seconds since 1970 UTC; NaN without a model.",
    merge=Merge.MAX,
)
NEWEST_VERSION = GaugeDefinition(
    "coldstart_newest_version_timestamp_seconds",
    "When the newest version of the store was written, whether it serves or not, in seconds since 1970 UTC.",
    merge=Merge.MAX,
)
MODEL_LOADS = CounterDefinition(
    "coldstart_model_loads_total",
    "Tries to load a published model: loaded, refused (its files are wrong) or failed (anything else).",
    ("model", "result"),
)
MODEL_REFUSALS = CounterDefinition(
    "coldstart_model_refusals_total", "Tries that ended without a model, by reason.", ("model", "reason")
)
SHADOW_REQUESTS = CounterDefinition(
    "coldstart_shadow_requests_total",
    "Answered requests that were to be scored by the candidate too: compared, left_out or failed.",
    ("result",),
)
SHADOW_DIFFERENCE = HistogramDefinition(
    "coldstart_shadow_difference",
    "How far the candidate's ratings lie from those that the current model answered, in rating points.",
    buckets=(0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0),
)
SHADOW_MEAN_DIFFERENCE = GaugeDefinition(
    "coldstart_shadow_mean_difference",
    "Mean of the candidate's ratings less the current model's, in rating points; NaN before one is compared.",
    merge=Merge.MAX,
)
MEMBERS = GaugeDefinition("coldstart_members", "Members whose facts are published with the model.", merge=Merge.MAX)
DATA_END = GaugeDefinition(
    "coldstart_data_end_timestamp_seconds",
    "The latest play in the tables that the model was made from, in seconds since 1970 UTC; NaN where unknown.",
    merge=Merge.MAX,
)
MOVIES = GaugeDefinition("coldstart_movies", "Movies of the model's catalogue.", merge=Merge.MAX)

# Outcomes: sums for computing the quality of predictions over any time window

OUTCOME_LABELS = ("model", "member_evidence")
OUTCOMES = CounterDefinition(
    "coldstart_outcomes_total",
    "Outcomes by what became of them: recorded, duplicate, refused (too many wait) or failed (the disk).",
    ("result",),
)
OUTCOME_COMMIT_SECONDS = HistogramDefinition(
    "coldstart_outcome_commit_seconds",
    "Time until outcomes written together are on disk.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
OUTCOME_RATINGS = CounterDefinition(
    "coldstart_outcome_ratings_total",
    "Ratings recorded, by whose prediction they are compared with and what it rested on.",
    OUTCOME_LABELS,
)
OUTCOME_SQUARED_ERROR = CounterDefinition(
    "coldstart_outcome_squared_error_total",
    "Sum of the squared errors of predictions, in rating points squared.",
    OUTCOME_LABELS,
)
OUTCOME_MOVIE_MEAN_SQUARED_ERROR = CounterDefinition(
    "coldstart_outcome_movie_mean_squared_error_total",
    "The same of the movies' means, as predicted with nothing known.",
    OUTCOME_LABELS,
)
OUTCOME_COVERED = CounterDefinition(
    "coldstart_outcome_covered_total", "Ratings within the 90 % interval.", OUTCOME_LABELS
)
OUTCOME_ENJOYED = CounterDefinition(
    "coldstart_outcome_enjoyed_total", "Ratings at or above enjoyed_from.", OUTCOME_LABELS
)
OUTCOME_EXPECTED_ENJOYED = CounterDefinition(
    "coldstart_outcome_expected_enjoyed_total", "Sum of the predicted probabilities to enjoy.", OUTCOME_LABELS
)
PROBABILITY_ENJOYED = CounterDefinition(
    "coldstart_outcome_probability_enjoyed_total",
    "Ratings at or above enjoyed_from, by the upper end of the bin of the predicted probability.",
    ("probability",),
)
PROBABILITY_EXPECTED = CounterDefinition(
    "coldstart_outcome_probability_expected_total",
    "Sum of the predicted probabilities to enjoy, by the same bins.",
    ("probability",),
)

# The server: certificates, readiness, tokens, and admission under load

CERTIFICATE_LOADS = CounterDefinition(
    "coldstart_certificate_loads_total",
    "Contents of the files of the TLS certificate: loaded, or refused since they can't be used.",
    ("result",),
)
READY = GaugeDefinition("coldstart_ready", "1 while health answers SERVING, in every worker.", merge=Merge.EVERY)
TOKEN_LOADS = CounterDefinition(
    "coldstart_token_loads_total",
    "Changes of the file of tokens: loaded, or refused (those before stay in their place).",
    ("result",),
)
IN_FLIGHT = GaugeDefinition("coldstart_in_flight", "Calls that compute now, in calls of small cost.", merge=Merge.SUM)
IN_FLIGHT_LIMIT = GaugeDefinition(
    "coldstart_in_flight_limit", "What admission lets compute at once now; it adapts.", merge=Merge.SUM
)
QUEUED_CALLS = GaugeDefinition(
    "coldstart_queued_calls", "Calls that wait for their turn, by class.", ("class",), Merge.SUM
)
SHED_CALLS = CounterDefinition(
    "coldstart_shed_calls_total", "Calls that were not computed, by class and reason.", ("class", "reason")
)

# The supervisor

WORKERS = GaugeDefinition(
    "coldstart_workers", "Worker processes: how many there should be, run, and take calls.", ("state",)
)
WORKER_RESTARTS = CounterDefinition("coldstart_worker_restarts_total", "Workers started in the place of one that died.")

# Drift, measured by the supervisor over all workers

ATTRIBUTE_DRIFT = GaugeDefinition(
    "coldstart_attribute_drift_index",
    "Stability index (PSI) of the last hour's values, of members of whom any attribute is known; NaN below 300.",
    ("attribute",),
)
ATTRIBUTE_MISSING = GaugeDefinition(
    "coldstart_attribute_missing_ratio", "Share of the same members whose value the model can't tell.", ("attribute",)
)
ATTRIBUTE_UNSEEN = GaugeDefinition(
    "coldstart_attribute_unseen_ratio",
    'Share of the same members whose value is in a category that the model has not seen and has no "other" for.',
    ("attribute",),
)
DRIFT_INDEX = GaugeDefinition(
    "coldstart_drift_index",
    "The same index of plays, predicted ratings, widths of intervals and extrapolations; see docs/operations.md.",
    ("input",),
)
FAR_EXTRAPOLATION = GaugeDefinition(
    "coldstart_far_extrapolation_ratio",
    "Share of the last hour's predicted requests whose member lies farther out than 95 % of raters.",
)
DRIFT_WINDOW_REQUESTS = GaugeDefinition(
    "coldstart_drift_window_requests",
    "Requests of the last hour that the indices are of, answered by the current model.",
)

DEFINITIONS = tuple(value for value in tuple(vars().values()) if isinstance(value, MetricDefinition))
"""All definitions above, in this order."""


def metrics_table() -> str:
    """Return a Markdown table of all metrics except those of prometheus_client about the processes themselves."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} "
        f"| {metric.help_text} |"
        for metric in DEFINITIONS
    ]
    return "\n".join(["| metric | type | labels | meaning |", "| --- | --- | --- | --- |", *rows])
