"""The graphs of live quality: what members thought in the end."""

from panels.panel import JOB, PODS, Panel, quantile

QUALITY_PANELS = (
    Panel(
        "Error beside the movies' means",
        "RMSE of the day's ratings, in rating points. Predictions that aren't below movies' means are of no use.",
        "short",
        {
            "{{model}}": f"job_model:coldstart_live_rmse:rate1d{{{JOB}}}",
            "{{model}}, movies' means": f"job_model:coldstart_live_movie_mean_rmse:rate1d{{{JOB}}}",
        },
    ),
    Panel(
        "Error by what was known of the member",
        "The more is known, the lower it should be.",
        "short",
        {"{{model}}, {{member_evidence}}": f"job_model_evidence:coldstart_live_rmse:rate1d{{{JOB}}}"},
    ),
    Panel(
        "Coverage of the intervals",
        "Share of the day's ratings within the 90 % interval.",
        "percentunit",
        {
            "{{model}}": f"job_model:coldstart_live_coverage:rate1d{{{JOB}}}",
            "{{model}}, {{member_evidence}}": f"job_model_evidence:coldstart_live_coverage:rate1d{{{JOB}}}",
        },
    ),
    Panel(
        "Enjoyed, and expected to be",
        "Share of the day's ratings at or above enjoyed_from, and the mean of the predicted probabilities.",
        "percentunit",
        {
            "{{model}}": f"job_model:coldstart_live_enjoyed_ratio:rate1d{{{JOB}}}",
            "{{model}}, expected": f"job_model:coldstart_live_expected_enjoyed_ratio:rate1d{{{JOB}}}",
        },
    ),
    Panel(
        "Calibration error",
        "How far probabilities to enjoy are off in the mean, by ten bins. Few ratings give some percent by chance.",
        "percentunit",
        {"error": f"job:coldstart_live_calibration_error:rate1d{{{JOB}}}"},
    ),
    Panel(
        "Ratings compared",
        "In the last day. Below 500, the graphs beside show much chance.",
        "short",
        {
            "{{model}}": f"job_model:coldstart_live_ratings:increase1d{{{JOB}}}",
            "{{model}}, {{member_evidence}}": f"job_model_evidence:coldstart_live_ratings:increase1d{{{JOB}}}",
        },
    ),
    Panel(
        "Outcomes",
        "A second, by what became of them. Anything failed: the disk doesn't take them.",
        "short",
        {"{{result}}": f"sum by (result) (rate(coldstart_outcomes_total{{{PODS}}}[5m]))"},
    ),
    Panel(
        "Time until outcomes are on disk",
        "Median and 99th percentile of writes.",
        "s",
        {f"p{share}": quantile(share, "coldstart_outcome_commit_seconds", PODS, window="30m") for share in (50, 99)},
    ),
    Panel(
        "Age of the newest version",
        "Whether it serves or not. Over a day: the job didn't run or failed.",
        "s",
        {"age": f"time() - max(coldstart_newest_version_timestamp_seconds{{{PODS}}} > 0)"},
    ),
)
