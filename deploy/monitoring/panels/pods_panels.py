"""The graphs of the pods: workers, load, and what the service depends on."""

from panels.panel import JOB, POD, PODS, SERVICE, Panel

PODS_PANELS = (
    Panel(
        "Workers",
        "By state. `serving` below `wanted` for long: see ColdstartWorkersMissing.",
        "short",
        {"{{state}}": f"sum by (state) (coldstart_workers{{{PODS}}})"},
    ),
    Panel(
        "Restarts of workers",
        "In 15 minutes. One may be chance; see ColdstartWorkersDying.",
        "short",
        {POD: f"sum by (pod, instance) (increase(coldstart_worker_restarts_total{{{PODS}}}[15m]))"},
    ),
    Panel(
        "Calls that are open",
        "Started and not ended yet, by method; streams stay open for long.",
        "short",
        {
            "{{grpc_method}}": f"sum by (grpc_method) (grpc_server_started_total{{{SERVICE}}}) "
            f"- sum by (grpc_method) (grpc_server_handled_total{{{SERVICE}}})"
        },
    ),
    Panel(
        "Calls in flight",
        "What is being computed, in units of a small call, beside the limit, which falls when calls become slow. "
        "At the limit for long: add pods.",
        "short",
        {
            "in flight": f"sum(coldstart_in_flight{{{PODS}}})",
            "limit": f"sum(coldstart_in_flight_limit{{{PODS}}})",
        },
    ),
    Panel(
        "Calls that wait",
        "By class. Interactive calls wait only while all before them take longer than usual.",
        "short",
        {"{{class}}": f"sum by (class) (coldstart_queued_calls{{{PODS}}})"},
    ),
    Panel(
        "Calls that weren't computed",
        "A second, by class and reason. `full` and `waited`: add pods. `deadline`: callers wait too short.",
        "short",
        {"{{class}}, {{reason}}": f"sum by (class, reason) (rate(coldstart_shed_calls_total{{{PODS}}}[5m]))"},
    ),
    Panel(
        "Messages",
        "A second. More than calls: streams.",
        "short",
        {
            "received": f"sum(rate(grpc_server_msg_received_total{{{SERVICE}}}[5m]))",
            "sent": f"sum(rate(grpc_server_msg_sent_total{{{SERVICE}}}[5m]))",
        },
    ),
    Panel(
        "Lookups in the member store",
        "A second, by result. `failed`: Redis was late or in error; `skipped`: not asked, after failures.",
        "short",
        {
            "{{result}}": f"sum by (result) (rate(coldstart_member_store_lookups_total{{{PODS}}}[5m]))",
            "damaged table": f"sum(rate(coldstart_damaged_member_lookups_total{{{PODS}}}[5m]))",
        },
    ),
    Panel(
        "Ratings for the member store",
        "A second, by result. `failed`, `skipped`: recorded, but they don't count before the store is filled again.",
        "short",
        {"{{result}}": f"sum by (result) (rate(coldstart_live_rating_writes_total{{{PODS}}}[5m]))"},
    ),
    Panel(
        "Until certificates expire",
        "By the setting of their file. A fifth of their time left: they aren't renewed. No data: no TLS.",
        "s",
        {
            "{{file}}": f"min by (file) (coldstart_certificate_not_after_timestamp_seconds{{{PODS}}} - time())",
            "{{file}}, of a time of": "min by (file) "
            f"(coldstart_certificate_not_after_timestamp_seconds{{{PODS}}} "
            f"- coldstart_certificate_not_before_timestamp_seconds{{{PODS}}})",
        },
    ),
    Panel(
        "Changed certificates and tokens",
        "In the last day, by result, and the pods on which the changed files can't be used.",
        "short",
        {
            "certificates {{result}}": f"sum by (result) (increase(coldstart_certificate_loads_total{{{PODS}}}[1d]))",
            "tokens {{result}}": f"sum by (result) (increase(coldstart_token_loads_total{{{PODS}}}[1d]))",
            "{{file}}, pods behind": f"sum by (file) (coldstart_file_behind{{{PODS}}})",
        },
    ),
    Panel(
        "Calls without a token that permits them",
        "Share of calls. A jump: a caller's token was taken out, or another caller tries.",
        "percentunit",
        {"denied": f"job:coldstart_denied_ratio:rate30m{{{JOB}}}"},
    ),
)
