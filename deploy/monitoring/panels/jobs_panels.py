"""The graphs of the jobs beside the service: the retrain, and the guard that goes back to the version before."""

from panels.panel import PODS, Panel

JOBS_PANELS = (
    Panel(
        "Since the last retrain",
        "That published a version, whether it serves or not. Over a day: the job didn't run or failed.",
        "s",
        {"age": f"time() - max(coldstart_retrain_finished_timestamp_seconds{{{PODS}}})"},
    ),
    Panel(
        "Time of the retrain",
        "Of the last that published a version. It grows with the data.",
        "s",
        {"time": f"max(coldstart_retrain_duration_seconds{{{PODS}}})"},
    ),
    Panel(
        "Gain of the newest version",
        "By how much its RMSE is below that of the movie mean, with the most evidence.",
        "percentunit",
        {"gain": f"max(coldstart_retrain_gain_ratio{{{PODS}}})"},
        low=None,
    ),
    Panel(
        "Verdict on the newest version",
        "1 for what became of it. `held_back` for days: see ColdstartModelStale.",
        "short",
        {"{{verdict}}": f"max by (verdict) (coldstart_retrain_verdict{{{PODS}}})"},
    ),
    Panel(
        "Evidence against the current version",
        "The guard goes back at 100, unless `--guard-alpha` says otherwise; near 1 or below, versions are as good.",
        "short",
        {"e-value": f"max(coldstart_guard_e_value{{{PODS}}})"},
    ),
    Panel(
        "Squared error of both versions",
        "On the same ratings, all of which came after the current version was trained.",
        "short",
        {"{{model}}": f"max by (model) (coldstart_guard_squared_error{{{PODS}}})"},
    ),
    Panel(
        "Coverage of both versions",
        "Share of the same ratings within the 90 % intervals.",
        "percentunit",
        {"{{model}}": f"max by (model) (coldstart_guard_coverage_ratio{{{PODS}}})"},
    ),
    Panel(
        "Ratings that the guard compares",
        "Since the current version was trained, and the members who gave them. A few percent need thousands.",
        "short",
        {
            "ratings": f"max(coldstart_guard_ratings{{{PODS}}})",
            "members": f"max(coldstart_guard_members{{{PODS}}})",
        },
    ),
    Panel(
        "Since the guard looked, and since it went back",
        "It looks every few minutes where it runs.",
        "s",
        {
            "looked": f"time() - max(coldstart_guard_checked_timestamp_seconds{{{PODS}}})",
            "went back": f"time() - max(coldstart_guard_went_back_timestamp_seconds{{{PODS}}})",
        },
    ),
)
