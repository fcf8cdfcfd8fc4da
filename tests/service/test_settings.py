"""Settings: the command line, the environment and the defaults."""

import asyncio
import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from service import probe
from service.processes.control_channel import Order, SupervisorEnd
from service.settings import Settings, flag, read_settings, settings_table, variable

ROOT = Path(__file__).parents[2]


def test_the_defaults_are_safe():
    settings = read_settings(["--models", "m"], {})
    assert settings == Settings(models="m")
    assert settings.host == settings.metrics_host == "127.0.0.1"


def test_every_option_may_come_from_the_environment_and_the_command_line_wins(tmp_path):
    key = tmp_path / "member.key"
    key.write_bytes(bytes(range(32)))
    given = {
        "models": "m",
        "members": "rediss://user:password@store:6380/1",
        "members_timeout_seconds": "0.5",
        "member_key": str(key),
        "ratings_keep_days": "30",
        "host": "::1",
        "port": "1",
        "metrics_host": "::",
        "metrics_port": "2",
        "workers": "7",
        "tls_cert": "c",
        "tls_key": "k",
        "tls_client_ca": "a",
        "reflection": "off",
        "reload_seconds": "3",
        "drain_seconds": "4",
        "grace_seconds": "5",
        "hang_seconds": "7",
        "background_threads": "6",
        "max_message_bytes": "100000",
        "max_concurrent_streams": "8",
        "max_connection_age_seconds": "9",
        "keepalive_seconds": "10",
        "log_level": "debug",
        "log_sample": "0.125",
        "traces": "http://collector:4318/v1/traces",
        "trace_sample": "0.375",
        "tokens": "t",
        "outcomes": "o",
        "least_in_flight": "7",
        "most_in_flight": "8",
        "queue_calls": "9",
        "queue_seconds": "10",
        "pending_calls": "11",
        "models_cache": "c",
        "require_signature": __file__,
        "trial_seconds": "7",
        "trial_memory_mib": "800",
        "shadow_share": "0.25",
        "canary_share": "0.5",
        "canary_key": __file__,
    }
    assert set(given) == set(Settings.model_fields)
    expected = Settings(
        models="m",
        members="rediss://user:password@store:6380/1",
        members_timeout_seconds=0.5,
        member_key=key,
        ratings_keep_days=30.0,
        host="::1",
        port=1,
        metrics_host="::",
        metrics_port=2,
        workers=7,
        tls_cert=Path("c"),
        tls_key=Path("k"),
        tls_client_ca=Path("a"),
        reflection="off",
        reload_seconds=3.0,
        drain_seconds=4.0,
        grace_seconds=5.0,
        hang_seconds=7.0,
        background_threads=6,
        max_message_bytes=100_000,
        max_concurrent_streams=8,
        max_connection_age_seconds=9.0,
        keepalive_seconds=10.0,
        log_level="debug",
        log_sample=0.125,
        traces="http://collector:4318/v1/traces",
        trace_sample=0.375,
        tokens=Path("t"),
        outcomes=Path("o"),
        least_in_flight=7,
        most_in_flight=8,
        queue_calls=9,
        queue_seconds=10.0,
        pending_calls=11,
        models_cache=Path("c"),
        require_signature=Path(__file__),
        trial_seconds=7.0,
        trial_memory_mib=800,
        shadow_share=0.25,
        canary_share=0.5,
        canary_key=Path(__file__),
    )
    assert read_settings([], {f"COLDSTART_{name.upper()}": value for name, value in given.items()}) == expected
    options = [part for name, value in given.items() for part in ("--" + name.replace("_", "-"), value)]
    assert (
        read_settings(options, dict.fromkeys((f"COLDSTART_{name.upper()}" for name in given), "nonsense")) == expected
    )
    assert "password" not in f"{expected} {expected!r}"


def test_workers_are_started_with_the_settings_of_their_supervisor():
    for options in (
        [],
        ["--outcomes", "\udcff", "--require-signature", __file__, "--members", "redis://:password@store"],
    ):
        settings = read_settings(["--models", "m", *options], {})

        async def order(settings=settings):
            ours, theirs = socket.socketpair()
            end = await SupervisorEnd.of(ours, Order(0, False, settings.model_dump()))
            with theirs, theirs.makefile() as lines:
                received = json.loads(lines.readline())
            end.close()
            return Settings.model_validate(received["settings"])

        assert asyncio.run(order()) == settings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--models (or $COLDSTART_MODELS) is needed"),
        (["--models", "\udcff"], "--models must be valid UTF-8"),
        (["--models", "m", "--port", "many"], "--port must be a whole number"),
        (["--models", "m", "--port", "65536"], "--port must be 0 to 65535"),
        (["--models", "m", "--metrics-port", "-1"], "--metrics-port must be 0 to 65535"),
        (["--models", "m", "--reload-seconds", "0"], "--reload-seconds must be 0.05 to 86400 seconds"),
        (["--models", "m", "--reload-seconds", "soon"], "--reload-seconds must be a number"),
        (["--models", "m", "--grace-seconds", "nan"], "--grace-seconds must be 0 to 3600 seconds"),
        (["--models", "m", "--drain-seconds", "-1"], "--drain-seconds must be 0 to 3600 seconds"),
        (["--models", "m", "--background-threads", "0"], "--background-threads must be 1 to 64"),
        (["--models", "m", "--workers", "-1"], "--workers must be 0 to 256"),
        (["--models", "m", "--tls-cert", "c"], "--tls-cert and --tls-key must be given together"),
        (["--models", "m", "--tls-client-ca", "a"], "--tls-client-ca needs --tls-cert and --tls-key"),
        (["--models", "m", "--reflection", "maybe"], "--reflection must be one of on, off"),
        (["--models", "m", "--log-level", "loud"], "--log-level must be one of debug, info, warning, error"),
        (
            ["--models", "m", "--least-in-flight", "129"],
            "--least-in-flight must not be above --most-in-flight",
        ),
        (["--models", "m", "--queue-calls", "0"], "--queue-calls must be 1 to 100000"),
        (["--models", "m", "--queue-seconds", "0"], "--queue-seconds must be 0.001 to 60 seconds"),
        (["--models", "m", "--pending-calls", "0"], "--pending-calls must be 1 to 100000"),
        (["--models", "m", "--host", ""], "--host must not be empty"),
        (["--models", ""], "--models must not be empty"),
        (
            ["--models", "m", "--members", "http://store"],
            "--members must be sqlite:PATH, or an address: redis://, rediss:// or unix://",
        ),
        (
            ["--models", "m", "--members", "redis://store:many"],
            "--members must be sqlite:PATH, or an address: redis://, rediss:// or unix://",
        ),
        (["--models", "m", "--members-timeout-seconds", "0"], "--members-timeout-seconds must be 0.001 to 10 seconds"),
        (["--models", "m", "--canary-share", "1.5"], "--canary-share must be 0 to 1"),
        (["--models", "m", "--trial-seconds", "0"], "--trial-seconds must be 0.1 to 3600 seconds"),
        (["--models", "m", "--require-signature", "nowhere"], "--require-signature must be a file"),
        (["--models", "m", "--canary-key", "nowhere"], "--canary-key must be a file"),
        (["--models", "m", "--modles", "m"], "unrecognized arguments: --modles m"),
    ],
)
def test_a_value_that_makes_no_sense_ends_with_code_2_and_a_clear_line(capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        read_settings(arguments, {})
    assert ended.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"python -m service: error: {message}"


def test_every_wrong_value_is_reported_at_once_by_the_place_it_came_from_and_without_the_value(capsys):
    environment = {"COLDSTART_PORT": "x", "COLDSTART_MEMBERS": "http://user:password@store", "COLDSTART_WORKERS": "-1"}
    with pytest.raises(SystemExit):
        read_settings(["--workers", "257", "--log-sample", "2"], environment)
    error = capsys.readouterr().err
    assert [line.removeprefix("python -m service: error: ") for line in error.splitlines()[-5:]] == [
        "--models (or $COLDSTART_MODELS) is needed",
        "$COLDSTART_MEMBERS must be sqlite:PATH, or an address: redis://, rediss:// or unix://",
        "$COLDSTART_PORT must be a whole number",
        "--workers must be 0 to 256",
        "--log-sample must be 0 to 1",
    ]
    assert "password" not in error


def test_settings_that_contradict_each_other_are_reported_at_once(capsys):
    with pytest.raises(SystemExit):
        read_settings(["--models", "m", "--tls-key", "k", "--tls-client-ca", "a", "--least-in-flight", "129"], {})
    assert len(re.findall("python -m service: error: ", capsys.readouterr().err)) == 3


def test_a_secret_is_in_no_error():
    with pytest.raises(ValidationError) as refused:
        Settings(models="m", members="http://user:password@store")
    assert "password" not in str(refused.value)


def test_help_shows_the_sentence_of_every_setting():
    shown = subprocess.run(
        [sys.executable, "-m", "service", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    words = " ".join(shown.split())
    for row in settings_table().splitlines()[2:]:
        option, environment, _, sentence = re.findall(r"[^|]+", row)[:4]
        assert option.strip(" `") in shown
        assert "$" + environment.strip(" `") in shown
        assert sentence.strip() in words


def test_the_table_has_a_row_for_every_setting():
    rows = settings_table().splitlines()[2:]
    assert len(rows) == len(Settings.model_fields)
    assert all(row.count("|") == 5 and row.rstrip(" |").endswith(".") for row in rows)


def test_the_probe_agrees_with_the_settings_that_it_does_not_import():
    code = "import sys, service.probe; sys.exit('pydantic' in sys.modules or 'service.settings' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    fields = Settings.model_fields
    assert (str(fields["port"].default), variable("port")) == (probe.PORT, probe.PORT_VARIABLE)
    names = [(flag(name), variable(name)) for name in ("tls_cert", "tls_key")]
    assert [(option, name) for option, name, _ in probe.TLS_OPTIONS] == names
