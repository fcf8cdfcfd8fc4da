"""The graphs of drift: how members and predictions differ from the training data."""

from panels.panel import POD, PODS, Panel

DRIFT_PANELS = (
    Panel(
        "Attributes of members",
        "Stability index of the last hour against raters: below 0.1 nothing to speak of, above 0.25 other members.",
        "short",
        {"{{attribute}}": f"max by (attribute) (coldstart_attribute_drift_index{{{PODS}}})"},
    ),
    Panel(
        "Values that aren't known",
        "Share of members of whom any attribute is known. A jump: a caller lost the source of the attribute.",
        "percentunit",
        {"{{attribute}}": f"max by (attribute) (coldstart_attribute_missing_ratio{{{PODS}}})"},
    ),
    Panel(
        "Unseen categories",
        "Share of the same members. More than a few: the attribute is coded in another way, or the model is old.",
        "percentunit",
        {"{{attribute}}": f"max by (attribute) (coldstart_attribute_unseen_ratio{{{PODS}}})"},
    ),
    Panel(
        "Plays and predictions",
        "The same index. Predictions depend also on the movies that callers choose: look at changes, not at heights.",
        "short",
        {"{{input}}": f"max by (input) (coldstart_drift_index{{{PODS}}})"},
    ),
    Panel(
        "Members far from all raters",
        "Share of members farther out than 95 % of raters; 5 % is what raters themselves have.",
        "percentunit",
        {POD: f"coldstart_far_extrapolation_ratio{{{PODS}}}"},
    ),
    Panel(
        "Requests looked at",
        "In the last hour, by each pod; indices begin at 300.",
        "short",
        {POD: f"coldstart_drift_window_requests{{{PODS}}}"},
    ),
)
