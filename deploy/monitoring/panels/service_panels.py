"""The graphs of the service: calls, errors, times, memory and processor, and the versions that it loads."""

from panels.panel import JOB, POD, PODS, SERVICE, Panel, quantiles

SERVICE_PANELS = (
    Panel("Calls", "By method.", "reqps", {"{{grpc_method}}": f"job_method:grpc_server_handled:rate5m{{{JOB}}}"}),
    Panel(
        "Errors",
        "Share of calls that the service failed. The promise is 0.1 % over 30 days.",
        "percentunit",
        {"errors": f"job:coldstart_error_ratio:rate5m{{{JOB}}}"},
    ),
    Panel(
        "Refused",
        "Share of calls refused for overload; callers retry later. More than 1 % for long: add pods.",
        "percentunit",
        {"refused": f"job:coldstart_refused_ratio:rate5m{{{JOB}}}"},
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
        {"slow": f"job:coldstart_slow_ratio:rate5m{{{JOB}}}"},
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
        quantiles("coldstart_stage_seconds", PODS, "stage"),
    ),
    Panel("Ready", "1 while health answers SERVING.", "short", {POD: f"coldstart_ready{{{PODS}}}"}),
    Panel(
        "Memory",
        "Resident memory. It grows with the model and not with calls.",
        "bytes",
        {POD: f"process_resident_memory_bytes{{{PODS}}}"},
    ),
    Panel(
        "Processor",
        "Cores in use.",
        "short",
        {POD: f"rate(process_cpu_seconds_total{{{PODS}}}[5m])"},
    ),
    Panel(
        "Loads of models",
        "In the last hour. Anything but `loaded` means that the one before goes on serving.",
        "short",
        {"{{result}}": f"sum by (result) (increase(coldstart_model_loads_total{{{PODS}}}[1h]))"},
    ),
    Panel(
        "Age of the model",
        "Since the newest model that serves was trained.",
        "s",
        {"age": f"job:coldstart_model_age_seconds:min{{{JOB}}}"},
    ),
)
