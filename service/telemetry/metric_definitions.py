"""Definitions of all metrics: name, help text, labels, buckets, and how values of several processes are merged."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from service.telemetry.merging import Merge


@dataclass(frozen=True)
class MetricDefinition(ABC):
    """Name, help text and labels of a metric, as Prometheus needs them."""

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
        """Type of the metric, and how it is merged over workers, as shown in the table of metrics."""
        return "gauge" if self.merge is None else f"gauge ({self.merge})"


@dataclass(frozen=True, kw_only=True)
class HistogramDefinition(MetricDefinition):
    """A histogram, with the same buckets for all series."""

    buckets: Sequence[float]
    """Upper bounds in ascending order; Prometheus adds infinity."""
    kind = "histogram"


# Calls, named as in go-grpc-prometheus

METHOD = ("grpc_type", "grpc_service", "grpc_method")
CALLS_STARTED = CounterDefinition("grpc_server_started_total", "Calls started.", METHOD)
CALLS_HANDLED = CounterDefinition("grpc_server_handled_total", "Calls ended, by status code.", (*METHOD, "grpc_code"))
MESSAGES_RECEIVED = CounterDefinition("grpc_server_msg_received_total", "Messages received from clients.", METHOD)
MESSAGES_SENT = CounterDefinition("grpc_server_msg_sent_total", "Messages sent to clients.", METHOD)
CALL_SECONDS = HistogramDefinition(
    "grpc_server_handling_seconds",
    "Duration of calls, in seconds.",
    METHOD,
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
"""The buckets cover small requests, which take about a millisecond, as well as bulk streams."""

# Answers

POSITIONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
PREDICTIONS = CounterDefinition(
    "coldstart_predictions_total",
    "Predictions in responses, by the evidence about the member and about the movie.",
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
    "coldstart_unknown_movies_total", "Movies in requests, to predict or played, that are not in the catalogue."
)
UNKNOWN_MEMBERS = CounterDefinition(
    "coldstart_unknown_members_total",
    "Requests whose member_id is neither in the model's member table nor in the member store.",
)
STORE_LOOKUPS = CounterDefinition(
    "coldstart_member_store_lookups_total",
    "Lookups in the member store, by result: found, unknown, failed (late or unreadable), or skipped while it fails.",
    ("result",),
)
DAMAGED_LOOKUPS = CounterDefinition(
    "coldstart_damaged_member_lookups_total",
    "Member lookups that failed because a file of the model's member table is damaged.",
)
UNUSED_ATTRIBUTES = CounterDefinition(
    "coldstart_unused_attributes_total", "Attribute values that the model could not use, by reason.", ("reason",)
)
STAGE_SECONDS = HistogramDefinition(
    "coldstart_stage_seconds",
    "Duration of each stage of an answer, in seconds.",
    ("stage",),
    buckets=(0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1.0),
)

# Models: served versions, loads and refusals, and the comparison with a candidate

MODEL_INFO = GaugeDefinition(
    "coldstart_model_info", "1 for each model being served.", ("model", "version", "format"), Merge.MAX
)
MODEL_BEHIND = GaugeDefinition(
    "coldstart_model_behind",
    "1 while the version with this label in the store can't be loaded, else 0.",
    ("model",),
    Merge.MAX,
)
ANSWERS = CounterDefinition("coldstart_answers_total", "Answers, by the model that made the predictions.", ("model",))
MODEL_TRAINED = GaugeDefinition(
    "coldstart_model_trained_timestamp_seconds",
    "Time when the current model was trained, in seconds since 1970 UTC; NaN without a model.",
    merge=Merge.MAX,
)
NEWEST_VERSION = GaugeDefinition(
    "coldstart_newest_version_timestamp_seconds",
    "Time when the newest version in the store was written, served or not, in seconds since 1970 UTC.",
    merge=Merge.MAX,
)
MODEL_LOADS = CounterDefinition(
    "coldstart_model_loads_total",
    "Attempts to load a published model, by result: loaded, refused (unusable files) or failed (other causes).",
    ("model", "result"),
)
MODEL_REFUSALS = CounterDefinition(
    "coldstart_model_refusals_total", "Attempts to load a model that did not succeed, by reason.", ("model", "reason")
)
SHADOW_REQUESTS = CounterDefinition(
    "coldstart_shadow_requests_total",
    "Answered requests sampled for the candidate, by result: compared, left_out (too many are waiting) or failed.",
    ("result",),
)
SHADOW_DIFFERENCE = HistogramDefinition(
    "coldstart_shadow_difference",
    "Absolute differences between the candidate's predicted ratings and the current model's, in rating points.",
    buckets=(0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0),
)
SHADOW_MEAN_DIFFERENCE = GaugeDefinition(
    "coldstart_shadow_mean_difference",
    "Mean of the candidate's predicted ratings minus the current model's, in rating points; NaN before any comparison.",
    merge=Merge.MAX,
)
MEMBERS = GaugeDefinition("coldstart_members", "Members published with the current model.", merge=Merge.MAX)
DATA_END = GaugeDefinition(
    "coldstart_data_end_timestamp_seconds",
    "Time of the latest play in the current model's training data, in seconds since 1970 UTC; NaN if unknown.",
    merge=Merge.MAX,
)
MOVIES = GaugeDefinition("coldstart_movies", "Movies in the current model's catalogue.", merge=Merge.MAX)

# Jobs beside the service, by what they leave in the store

RETRAIN_FINISHED = GaugeDefinition(
    "coldstart_retrain_finished_timestamp_seconds",
    "Time when a retrain last published a version, served or not, in seconds since 1970 UTC; NaN if none ever did.",
    merge=Merge.MAX,
)
RETRAIN_SECONDS = GaugeDefinition(
    "coldstart_retrain_duration_seconds",
    "Duration of the last retrain that published a version, in seconds.",
    merge=Merge.MAX,
)
RETRAIN_GAIN = GaugeDefinition(
    "coldstart_retrain_gain_ratio",
    "Share by which the RMSE of the last version made is below that of the movie mean, with the most evidence.",
    merge=Merge.MAX,
)
RETRAIN_VERDICT = GaugeDefinition(
    "coldstart_retrain_verdict",
    "1 for what became of the last version made: serves, candidate or held_back (by the gate).",
    ("verdict",),
    merge=Merge.MAX,
)
GUARD_CHECKED = GaugeDefinition(
    "coldstart_guard_checked_timestamp_seconds",
    "Time when the guard last compared the current version with the one before, in seconds since 1970 UTC; NaN if it "
    "never did.",
    merge=Merge.MAX,
)
GUARD_WENT_BACK = GaugeDefinition(
    "coldstart_guard_went_back_timestamp_seconds",
    "Time when the guard last went back to the version before, in seconds since 1970 UTC; NaN if it never did.",
    merge=Merge.MAX,
)
GUARD_MEMBERS = GaugeDefinition(
    "coldstart_guard_members", "Members whose ratings the guard has compared the versions on.", merge=Merge.MAX
)
GUARD_RATINGS = GaugeDefinition(
    "coldstart_guard_ratings", "Ratings that the guard has compared the versions on.", merge=Merge.MAX
)
GUARD_E_VALUE = GaugeDefinition(
    "coldstart_guard_e_value",
    "Evidence that the current version is worse than the one before; the guard goes back at 1 / --guard-alpha.",
    merge=Merge.MAX,
)
GUARD_SQUARED_ERROR = GaugeDefinition(
    "coldstart_guard_squared_error",
    "Mean squared error on the guard's ratings, in squared rating points, by version: current or previous.",
    ("model",),
    merge=Merge.MAX,
)
GUARD_COVERAGE = GaugeDefinition(
    "coldstart_guard_coverage_ratio",
    "Share of the guard's ratings within the 90 % intervals, by version: current or previous.",
    ("model",),
    merge=Merge.MAX,
)

# Outcomes: sums for computing the quality of predictions over any time window

OUTCOME_LABELS = ("model", "member_evidence")
OUTCOMES = CounterDefinition(
    "coldstart_outcomes_total",
    "Outcomes received, by result: recorded, duplicate, refused (too many are waiting) or failed (disk error).",
    ("result",),
)
LIVE_RATING_WRITES = CounterDefinition(
    "coldstart_live_rating_writes_total",
    "Ratings and withdrawals for the member store, by result: written, older (a later one is there), left_out (older "
    "than all that is kept, or repeated without a time), failed (or late), or skipped while writes fail.",
    ("result",),
)
OUTCOME_COMMIT_SECONDS = HistogramDefinition(
    "coldstart_outcome_commit_seconds",
    "Duration of writing a batch of outcomes to disk, in seconds.",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
OUTCOME_RATINGS = CounterDefinition(
    "coldstart_outcome_ratings_total",
    "Recorded ratings that were compared with a prediction, by its model and member evidence.",
    OUTCOME_LABELS,
)
OUTCOME_SQUARED_ERROR = CounterDefinition(
    "coldstart_outcome_squared_error_total",
    "Sum of the squared errors of predictions compared with a rating, in squared rating points.",
    OUTCOME_LABELS,
)
OUTCOME_MOVIE_MEAN_SQUARED_ERROR = CounterDefinition(
    "coldstart_outcome_movie_mean_squared_error_total",
    "Sum of the squared errors of predictions for a member without any facts, in squared rating points.",
    OUTCOME_LABELS,
)
OUTCOME_COVERED = CounterDefinition(
    "coldstart_outcome_covered_total", "Ratings within the 90 % interval of the prediction.", OUTCOME_LABELS
)
OUTCOME_ENJOYED = CounterDefinition(
    "coldstart_outcome_enjoyed_total", "Ratings at or above enjoyed_from.", OUTCOME_LABELS
)
OUTCOME_EXPECTED_ENJOYED = CounterDefinition(
    "coldstart_outcome_expected_enjoyed_total", "Sum of the predicted probabilities of enjoyment.", OUTCOME_LABELS
)
PROBABILITY_ENJOYED = CounterDefinition(
    "coldstart_outcome_probability_enjoyed_total",
    "Ratings at or above enjoyed_from, by the upper end of the predicted probability's bin.",
    ("probability",),
)
PROBABILITY_EXPECTED = CounterDefinition(
    "coldstart_outcome_probability_expected_total",
    "Sum of the predicted probabilities of enjoyment, by the upper end of the predicted probability's bin.",
    ("probability",),
)

# Files that are read again after a change: certificates and tokens

CERTIFICATE_LOADS = CounterDefinition(
    "coldstart_certificate_loads_total",
    "Attempts to load the TLS certificate files, by result: loaded, or refused because they can't be used.",
    ("result",),
)
TOKEN_LOADS = CounterDefinition(
    "coldstart_token_loads_total",
    "Changes of the token file, by result: loaded, or refused (the previous tokens remain valid).",
    ("result",),
)
FILE_BEHIND = GaugeDefinition(
    "coldstart_file_behind",
    "1 while the files on disk can't be used and the previous content stays in use, else 0.",
    ("file",),
    Merge.MAX,
)
CERTIFICATE_BEGIN = GaugeDefinition(
    "coldstart_certificate_not_before_timestamp_seconds",
    "Begin of the validity of the certificate in coldstart_certificate_not_after_timestamp_seconds, in seconds since "
    "1970 UTC.",
    ("file",),
    Merge.MIN,
)
CERTIFICATE_END = GaugeDefinition(
    "coldstart_certificate_not_after_timestamp_seconds",
    "Time when a TLS certificate in use expires: the first of the server's chain or the last of the clients' "
    "authorities, in seconds since 1970 UTC.",
    ("file",),
    Merge.MIN,
)

# The server: readiness, and admission under load

READY = GaugeDefinition("coldstart_ready", "1 if health is SERVING in every worker, else 0.", merge=Merge.EVERY)
IN_FLIGHT = GaugeDefinition(
    "coldstart_in_flight", "Total cost of the calls being computed, in units of a small call.", merge=Merge.SUM
)
IN_FLIGHT_LIMIT = GaugeDefinition(
    "coldstart_in_flight_limit", "Adaptive limit on coldstart_in_flight, in units of a small call.", merge=Merge.SUM
)
QUEUED_CALLS = GaugeDefinition(
    "coldstart_queued_calls", "Calls waiting to be computed, by class.", ("class",), Merge.SUM
)
SHED_CALLS = CounterDefinition(
    "coldstart_shed_calls_total", "Calls ended without being computed, by class and reason.", ("class", "reason")
)

# The supervisor

WORKERS = GaugeDefinition(
    "coldstart_workers", "Number of worker processes, by state: wanted, running or serving.", ("state",)
)
WORKER_RESTARTS = CounterDefinition("coldstart_worker_restarts_total", "Worker processes that replaced one that died.")

# Drift, measured by the supervisor over all workers

ATTRIBUTE_DRIFT = GaugeDefinition(
    "coldstart_attribute_drift_index",
    "Population stability index (PSI) of the attribute over the last hour; NaN for fewer than 300 members.",
    ("attribute",),
)
ATTRIBUTE_MISSING = GaugeDefinition(
    "coldstart_attribute_missing_ratio",
    "Share of the last hour's members with any known attribute for whom the model has no value of this attribute.",
    ("attribute",),
)
ATTRIBUTE_UNSEEN = GaugeDefinition(
    "coldstart_attribute_unseen_ratio",
    "Share of the last hour's members with any known attribute whose value is a category that the model can't use.",
    ("attribute",),
)
DRIFT_INDEX = GaugeDefinition(
    "coldstart_drift_index",
    "PSI of the number of plays, predicted ratings, interval widths and extrapolation; see docs/operations.md.",
    ("input",),
)
FAR_EXTRAPOLATION = GaugeDefinition(
    "coldstart_far_extrapolation_ratio",
    "Share of the last hour's prediction requests whose member is farther from the training data than 95 % of raters.",
)
DRIFT_WINDOW_REQUESTS = GaugeDefinition(
    "coldstart_drift_window_requests",
    "Requests of the last hour, answered by the current model, from which the drift metrics are computed.",
)

DEFINITIONS = tuple(value for value in tuple(vars().values()) if isinstance(value, MetricDefinition))
"""All definitions above, in this order."""


def metrics_table() -> str:
    """Return a Markdown table of all metrics for docs/metrics.md, except prometheus_client's own of a process."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{label}`' for label in metric.labels)} "
        f"| {metric.help_text} |"
        for metric in DEFINITIONS
    ]
    return "\n".join(["| metric | type | labels | meaning |", "| --- | --- | --- | --- |", *rows])
