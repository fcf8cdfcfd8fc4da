"""The graphs of the dashboards: what each shows, what is normal, and its queries."""

from dataclasses import dataclass

SERVICE = 'job="$job",grpc_service="coldstart.v1.EnjoymentService"'


@dataclass(frozen=True)
class Panel:
    """One graph."""

    title: str
    """What it shows."""
    meaning: str
    """What is normal, and what to do when it isn't."""
    unit: str
    """Grafana's name of the unit."""
    queries: dict[str, str]
    """PromQL by legend; `{{label}}` in a legend stands for the label's value."""
    kind: str = "timeseries"
    """Grafana's name of the kind of graph."""


def quantile(share: int, metric: str, selector: str, by: str = "", window: str = "5m") -> str:
    """A quantile of a histogram, in percent, for each value of a label."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share / 100}, sum by ({labels}) (rate({metric}_bucket{{{selector}}}[{window}])))"


def quantiles(metric: str, selector: str, by: str) -> dict[str, str]:
    """The median and the 99th percentile of a histogram of seconds."""
    return {f"{{{{{by}}}}} p{share}": quantile(share, metric, selector, by) for share in (50, 99)}


SERVICE_PANELS = (
    Panel("Calls", "By method.", "reqps", {"{{grpc_method}}": 'job_method:grpc_server_handled:rate5m{job="$job"}'}),
    Panel(
        "Errors",
        "Share of calls that the service failed. The promise is 0.1 % over 30 days.",
        "percentunit",
        {"errors": 'job:coldstart_error_ratio:rate5m{job="$job"}'},
    ),
    Panel(
        "Refused",
        "Share of calls refused for overload; callers retry later. More than 1 % for long: add pods.",
        "percentunit",
        {"refused": 'job:coldstart_refused_ratio:rate5m{job="$job"}'},
    ),
    Panel(
        "Time of a call",
        "Median and 99th percentile by method.",
        "s",
        quantiles("grpc_server_handling_seconds", SERVICE, "grpc_method"),
    ),
    Panel(
        "Slow predictions",
        "Share of predictions over 50 ms. The promise is 1 % over 30 days.",
        "percentunit",
        {"slow": 'job:coldstart_slow_ratio:rate5m{job="$job"}'},
    ),
    Panel(
        "Status codes",
        "How calls end.",
        "reqps",
        {"{{grpc_code}}": f"sum by (grpc_code) (rate(grpc_server_handled_total{{{SERVICE}}}[5m])) > 0"},
    ),
    Panel(
        "Time of each stage",
        "Median and 99th percentile: where an answer's time goes.",
        "s",
        quantiles("coldstart_stage_seconds", 'job="$job"', "stage"),
    ),
    Panel("Ready", "1 while health answers SERVING.", "short", {"{{instance}}": 'coldstart_ready{job="$job"}'}),
    Panel(
        "Memory",
        "Resident memory. It grows with the model and not with calls.",
        "bytes",
        {"{{instance}}": 'process_resident_memory_bytes{job="$job"}'},
    ),
    Panel(
        "Processor",
        "Cores in use.",
        "short",
        {"{{instance}}": 'rate(process_cpu_seconds_total{job="$job"}[5m])'},
    ),
    Panel(
        "Loads of models",
        "In the last hour. Anything but `loaded` means that the one before goes on serving.",
        "short",
        {"{{result}}": 'sum by (result) (increase(coldstart_model_loads_total{job="$job"}[1h]))'},
    ),
    Panel(
        "Age of the model",
        "Since the newest model that serves was trained.",
        "s",
        {"age": 'job:coldstart_model_age_seconds:min{job="$job"}'},
    ),
)

MODEL_PANELS = (
    Panel(
        "Predictions by what is known of the member",
        "The mix should be that of the callers' members. A jump of `nothing`: a caller lost its source of facts.",
        "short",
        {"{{member_evidence}}": 'job_evidence:coldstart_predictions:rate5m{job="$job"}'},
    ),
    Panel(
        "Nothing known of the member",
        "Share of predictions.",
        "percentunit",
        {"nothing": 'job:coldstart_nothing_known_ratio:rate30m{job="$job"}'},
    ),
    Panel(
        "Movies nobody has rated",
        "Share of predictions. It grows with the model's age, as new movies come.",
        "percentunit",
        {"unrated": 'job:coldstart_unrated_movie_ratio:rate30m{job="$job"}'},
    ),
    Panel(
        "Predicted ratings",
        "From 0 at the low end of the scale to 1 at the high end: lower quartile, median and upper quartile.",
        "percentunit",
        {
            f"q{share}": quantile(share, "coldstart_predicted_rating_position", 'job="$job"', window="30m")
            for share in (25, 50, 75)
        },
    ),
    Panel(
        "Width of the intervals",
        "As a share of the scale, median. Wider: less is known of members or movies.",
        "percentunit",
        {"width": quantile(50, "coldstart_interval_width_position", 'job="$job"', window="30m")},
    ),
    Panel(
        "Facts that the model can't use",
        "A second: movies and members that it lacks, attributes and categories that it doesn't know.",
        "short",
        {
            "unknown movies": 'sum(rate(coldstart_unknown_movies_total{job="$job"}[5m]))',
            "unknown members": 'sum(rate(coldstart_unknown_members_total{job="$job"}[5m]))',
            "{{reason}}": 'sum by (reason) (rate(coldstart_unused_attributes_total{job="$job"}[5m]))',
        },
    ),
    Panel(
        "Age of what is known of members",
        "Since the latest play in the tables that the model was made from. It only grows where they aren't renewed.",
        "s",
        {"age": 'time() - max(coldstart_data_end_timestamp_seconds{job="$job"})'},
    ),
    Panel("Members", "Published with the model.", "short", {"members": 'max(coldstart_members{job="$job"})'}),
    Panel("Movies", "Of the catalogue.", "short", {"movies": 'max(coldstart_movies{job="$job"})'}),
    Panel(
        "Versions",
        "Instances by the version that serves; two for long means that some can't load the newer.",
        "short",
        {"{{version}}": 'count by (version) (coldstart_model_info{job="$job"})'},
    ),
)

QUALITY_PANELS = (
    Panel(
        "Error beside the movies' means",
        "RMSE of the day's ratings, in rating points. Predictions that aren't below movies' means are of no use.",
        "short",
        {
            "{{model}}": 'job_model:coldstart_live_rmse:rate1d{job="$job"}',
            "{{model}}, movies' means": 'job_model:coldstart_live_movie_mean_rmse:rate1d{job="$job"}',
        },
    ),
    Panel(
        "Error by what was known of the member",
        "The more is known, the lower it should be.",
        "short",
        {"{{model}}, {{member_evidence}}": 'job_model_evidence:coldstart_live_rmse:rate1d{job="$job"}'},
    ),
    Panel(
        "Coverage of the intervals",
        "Share of the day's ratings within the 90 % interval.",
        "percentunit",
        {
            "{{model}}": 'job_model:coldstart_live_coverage:rate1d{job="$job"}',
            "{{model}}, {{member_evidence}}": 'job_model_evidence:coldstart_live_coverage:rate1d{job="$job"}',
        },
    ),
    Panel(
        "Enjoyed, and expected to be",
        "Share of the day's ratings at or above enjoyed_from, and the mean of the predicted probabilities.",
        "percentunit",
        {
            "{{model}}": 'job_model:coldstart_live_enjoyed_ratio:rate1d{job="$job"}',
            "{{model}}, expected": 'job_model:coldstart_live_expected_enjoyed_ratio:rate1d{job="$job"}',
        },
    ),
    Panel(
        "Calibration error",
        "How far probabilities to enjoy are off in the mean, by ten bins. Few ratings give some percent by chance.",
        "percentunit",
        {"error": 'job:coldstart_live_calibration_error:rate1d{job="$job"}'},
    ),
    Panel(
        "Ratings compared",
        "In the last day. Below 500, the graphs beside show much chance.",
        "short",
        {
            "{{model}}": 'job_model:coldstart_live_ratings:increase1d{job="$job"}',
            "{{model}}, {{member_evidence}}": 'job_model_evidence:coldstart_live_ratings:increase1d{job="$job"}',
        },
    ),
    Panel(
        "Outcomes",
        "A second, by what became of them. Anything failed: the disk doesn't take them.",
        "short",
        {"{{result}}": 'sum by (result) (rate(coldstart_outcomes_total{job="$job"}[5m]))'},
    ),
    Panel(
        "Time until outcomes are on disk",
        "Median and 99th percentile of writes.",
        "s",
        {
            f"p{share}": quantile(share, "coldstart_outcome_commit_seconds", 'job="$job"', window="30m")
            for share in (50, 99)
        },
    ),
    Panel(
        "Age of the newest version",
        "Whether it serves or not. Over a day: the job didn't run or failed.",
        "s",
        {"age": 'time() - max(coldstart_newest_version_timestamp_seconds{job="$job"} > 0)'},
    ),
)

DRIFT_PANELS = (
    Panel(
        "Attributes of members",
        "Stability index of the last hour against raters: below 0.1 nothing to speak of, above 0.25 other members.",
        "short",
        {"{{attribute}}": 'max by (attribute) (coldstart_attribute_drift_index{job="$job"})'},
    ),
    Panel(
        "Values that aren't known",
        "Share of members of whom any attribute is known. A jump: a caller lost the source of the attribute.",
        "percentunit",
        {"{{attribute}}": 'max by (attribute) (coldstart_attribute_missing_ratio{job="$job"})'},
    ),
    Panel(
        "Unseen categories",
        "Share of the same members. More than a few: the attribute is coded in another way, or the model is old.",
        "percentunit",
        {"{{attribute}}": 'max by (attribute) (coldstart_attribute_unseen_ratio{job="$job"})'},
    ),
    Panel(
        "Plays and predictions",
        "The same index. Predictions depend also on the movies that callers choose: look at changes, not at heights.",
        "short",
        {"{{input}}": 'max by (input) (coldstart_drift_index{job="$job"})'},
    ),
    Panel(
        "Members far from all raters",
        "Share of members farther out than 95 % of raters; 5 % is what raters themselves have.",
        "percentunit",
        {"{{instance}}": 'coldstart_far_extrapolation_ratio{job="$job"}'},
    ),
    Panel(
        "Requests looked at",
        "In the last hour, by each pod; indices begin at 300.",
        "short",
        {"{{instance}}": 'coldstart_drift_window_requests{job="$job"}'},
    ),
)
