"""The graphs of the model: what is known of members and movies, and the candidate beside it."""

from panels.panel import JOB, PODS, Panel, quantile

MODEL_PANELS = (
    Panel(
        "Predictions by what is known of the member",
        "The mix should be that of the callers' members. A jump of `nothing`: a caller lost its source of facts.",
        "short",
        {"{{member_evidence}}": f"job_evidence:coldstart_predictions:rate5m{{{JOB}}}"},
    ),
    Panel(
        "Nothing known of the member",
        "Share of predictions.",
        "percentunit",
        {"nothing": f"job:coldstart_nothing_known_ratio:rate30m{{{JOB}}}"},
    ),
    Panel(
        "Movies nobody has rated",
        "Share of predictions. It grows with the model's age, as new movies come.",
        "percentunit",
        {"unrated": f"job:coldstart_unrated_movie_ratio:rate30m{{{JOB}}}"},
    ),
    Panel(
        "Predicted ratings",
        "From 0 at the low end of the scale to 1 at the high end: lower quartile, median and upper quartile.",
        "percentunit",
        {
            f"q{share}": quantile(share, "coldstart_predicted_rating_position", PODS, window="30m")
            for share in (25, 50, 75)
        },
    ),
    Panel(
        "Width of the intervals",
        "As a share of the scale, median. Wider: less is known of members or movies.",
        "percentunit",
        {"width": quantile(50, "coldstart_interval_width_position", PODS, window="30m")},
    ),
    Panel(
        "Facts that the model can't use",
        "A second: movies and members that it lacks, attributes and categories that it doesn't know.",
        "short",
        {
            "unknown movies": f"sum(rate(coldstart_unknown_movies_total{{{PODS}}}[5m]))",
            "unknown members": f"sum(rate(coldstart_unknown_members_total{{{PODS}}}[5m]))",
            "{{reason}}": f"sum by (reason) (rate(coldstart_unused_attributes_total{{{PODS}}}[5m]))",
        },
    ),
    Panel(
        "Age of what is known of members",
        "Since the latest play in the tables that the model was made from. It only grows where they aren't renewed.",
        "s",
        {"age": f"time() - max(coldstart_data_end_timestamp_seconds{{{PODS}}})"},
    ),
    Panel("Members", "Published with the model.", "short", {"members": f"max(coldstart_members{{{PODS}}})"}),
    Panel("Movies", "Of the catalogue.", "short", {"movies": f"max(coldstart_movies{{{PODS}}})"}),
    Panel(
        "Versions",
        "Instances by the version that serves; two for long means that some can't load the newer.",
        "short",
        {"{{version}}": f"count by (version) (coldstart_model_info{{{PODS}}})"},
    ),
    Panel(
        "Versions that can't be loaded",
        "Pods that serve another version than the label names. Above 0 for long: see ColdstartReloadFailing.",
        "short",
        {"{{model}}": f"sum by (model) (coldstart_model_behind{{{PODS}}})"},
    ),
    Panel(
        "Why versions aren't loaded",
        "Attempts in the last hour, by reason.",
        "short",
        {"{{reason}}": f"sum by (reason) (increase(coldstart_model_refusals_total{{{PODS}}}[1h]))"},
    ),
    Panel(
        "Answers by model",
        "A second. The candidate answers the share of members that `--canary-share` gives it.",
        "short",
        {"{{model}}": f"sum by (model) (rate(coldstart_answers_total{{{PODS}}}[5m]))"},
    ),
    Panel(
        "Requests that the candidate gets too",
        "A second, by result. `left_out`: it can't keep up with `--shadow-share`. `failed`: don't promote it.",
        "short",
        {"{{result}}": f"sum by (result) (rate(coldstart_shadow_requests_total{{{PODS}}}[5m]))"},
    ),
    Panel(
        "Difference of the candidate",
        "In rating points: median and 99th percentile of absolute differences, and the mean of the signed ones.",
        "short",
        {
            **{f"p{share}": quantile(share, "coldstart_shadow_difference", PODS, window="30m") for share in (50, 99)},
            "mean": f"avg(coldstart_shadow_mean_difference{{{PODS}}})",
        },
        low=None,
    ),
)
