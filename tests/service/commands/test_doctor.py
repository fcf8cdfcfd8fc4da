"""The doctor finds what is wrong before the service is started, and what to do about it."""

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model.artifact.artifact import load_model
from model.files.manifest import FORMAT
from model.member_stores.own_key import own_key
from model.member_stores.sqlite_members import COMPLETE, SqliteMembers, create
from service.commands.doctor import main
from service.commands.doctor_checks import (
    _check_age,
    check_certificates,
    check_folders,
    check_memory,
    check_tokens,
    memory_limit,
)
from service.commands.member_store_checks import check_member_store
from service.rpc.security.tokens import entry_text, new_token
from service.settings import Settings
from training.__main__ import main as training

ROOT = Path(__file__).parents[3]


@pytest.fixture
def doctor(sample, capsys):
    """Runs it in this process; the exit code and the findings by check."""

    def run(*arguments, models=sample[1], days=0):
        now = time.time() + days * 86_400
        code = main(["--models", str(models), *arguments, "--json"], {}, now, sys.stdout)
        report = json.loads(capsys.readouterr().out)
        assert report["ok"] is (code == 0)
        findings = {}
        for finding in report["checks"]:
            assert bool(finding["remedy"]) is (finding["state"] != "ok"), "every problem has a remedy"
            findings.setdefault(finding["check"], []).append(finding)
        return code, findings

    return run


def states(findings, check):
    return [finding["state"] for finding in findings[check]]


def test_all_is_well_in_words_and_exit_code(sample):
    done = subprocess.run(
        [sys.executable, "-m", "service", "doctor", "--models", str(sample[1])],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert f"ok       store          2 versions; {sample[2][0]} is to serve" in lines
    assert lines[-1].endswith("all is well")


def test_settings_that_make_no_sense_end_it_with_2(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--models", "m", "--port", "nonsense"], {}, time.time(), sys.stdout)
    assert ended.value.code == 2
    assert "--port must be a whole number" in capsys.readouterr().err


def test_a_store_that_is_not_there_or_empty_or_unreadable(doctor, tmp_path, own_store):
    code, findings = doctor(models=tmp_path / "nowhere")
    assert (code, states(findings, "store")) == (1, ["failed"])
    assert "isn't there" in findings["store"][0]["found"]
    (tmp_path / "empty").mkdir()
    code, findings = doctor(models=tmp_path / "empty")
    assert (code, states(findings, "store")) == (1, ["failed"])
    assert "training retrain" in findings["store"][0]["remedy"]
    (own_store / "current").write_text("nonsense\n")
    code, findings = doctor(models=own_store)
    assert (code, states(findings, "store")) == (1, ["failed"])
    assert "doesn't name a version" in findings["store"][0]["found"]


@pytest.mark.parametrize("file", ["trees.txt", "reference.json", "members/attributes.npy"])
def test_a_damaged_file_is_named(doctor, own_store, sample, file):
    path = own_store / "versions" / sample[2][0] / file
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    code, findings = doctor(models=own_store)
    assert (code, states(findings, "model")) == (1, ["failed"])
    assert file in findings["model"][0]["found"]
    assert "promote another version" in findings["model"][0]["remedy"]


def test_a_candidate_is_checked_too(doctor, own_store, sample):
    (own_store / "candidate").write_text(sample[2][1] + "\n")
    (own_store / "versions" / sample[2][1] / "golden.npz").unlink()
    code, findings = doctor(models=own_store)
    assert (code, states(findings, "model"), states(findings, "candidate")) == (1, ["ok"], ["failed"])


def test_a_version_of_another_format_or_without_signature_has_a_remedy(doctor, own_store, sample, tmp_path):
    private, key = tmp_path / "private.pem", tmp_path / "public.pem"
    for call in (
        ["genpkey", "-algorithm", "ed25519", "-out", private],
        ["pkey", "-in", private, "-pubout", "-out", key],
    ):
        subprocess.run(["openssl", *call], check=True, capture_output=True)
    code, findings = doctor("--require-signature", str(key))
    assert (code, states(findings, "model")) == (1, ["failed"])
    assert "sign" in findings["model"][0]["remedy"]
    manifest = own_store / "versions" / sample[2][0] / "manifest.json"
    manifest.write_text(manifest.read_text().replace(f'"format": {FORMAT}', '"format": 1'))
    code, findings = doctor(models=own_store)
    assert "this release" in findings["model"][0]["remedy"]


def test_ages_and_the_clock(doctor, sample):
    code, findings = doctor(days=5)
    assert (code, states(findings, "model age")) == (0, ["warning"])
    model = load_model(sample[1] / "versions" / sample[2][0])
    clock = _check_age(model, time.time() - 86_400)
    assert (clock.check, clock.state) == ("clock", "failed")


def certificate(folder, days, name="server"):
    """The files of a certificate that signs itself."""
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    call = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=a"]
    subprocess.run(
        ["openssl", *call, "-keyout", key, "-out", cert, "-days", str(days)], check=True, capture_output=True
    )
    return cert, key


def state_of(findings):
    """The states of some findings, each of which has a remedy unless it is ok."""
    findings = list(findings)
    assert all(bool(finding.remedy) is (finding.state != "ok") for finding in findings)
    return [finding.state for finding in findings]


def test_certificates_that_end_soon_or_do_not_fit(tmp_path):
    cert, key = certificate(tmp_path, 100)
    _, other = certificate(tmp_path, 100, "other")

    def after(days, key=key):
        settings = Settings(models="m", tls_cert=cert, tls_key=key, tls_client_ca=cert)
        return state_of(check_certificates(settings, time.time() + days * 86_400))

    assert after(0) == ["ok", "ok"]
    assert after(90) == ["warning", "warning"]
    assert after(101) == ["failed", "failed"]
    assert after(-1) == ["failed", "failed"]
    assert after(0, other) == ["failed"]
    assert after(0, tmp_path / "none") == ["failed"]
    assert state_of(check_certificates(Settings(models="m", host="::"), 0)) == ["warning"]
    assert state_of(check_certificates(Settings(models="m"), 0)) == []


def test_tokens_that_can_not_be_used(tmp_path):
    file = tmp_path / "tokens.toml"
    settings = Settings(models="m", tokens=file)
    assert state_of(check_tokens(settings)) == ["failed"]
    for content in ("nonsense", "tokens = []"):
        file.write_text(content)
        assert state_of(check_tokens(settings)) == ["failed"]
    file.write_text(entry_text("a", new_token(), ["*"], bytes(16)))
    assert state_of(check_tokens(settings)) == ["ok"]


def test_folders_that_can_not_be_written_to(tmp_path):
    def outcomes(folder):
        return state_of(check_folders(Settings(models="m", outcomes=folder)))

    assert outcomes(tmp_path / "new" / "folder") == ["ok"]
    assert not (tmp_path / "new").exists(), "it only looks"
    assert outcomes(tmp_path)[0] in ("ok", "warning")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert outcomes(tmp_path / "file" / "below") == ["failed"]


def test_a_limit_of_memory_that_is_too_tight(tmp_path):
    assert state_of(check_memory(Settings(models="m", workers=256), 1 << 30)) == ["failed"]
    assert state_of(check_memory(Settings(models="m", workers=1), 1 << 20)) == ["ok"]
    (tmp_path / "memory.max").write_text("1000000\n")
    assert memory_limit(tmp_path) == 1_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_limit(tmp_path) == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_too_few_open_files_fail(doctor, tmp_path, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (200, 4096))
    code, findings = doctor(models=tmp_path)
    assert code == 1
    [files] = findings["open files"]
    assert files["state"] == "failed"
    assert "ulimit" in files["remedy"]


def test_a_member_store_that_does_not_answer():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"redis://:secret@127.0.0.1:{free.getsockname()[1]}"
    findings = list(check_member_store(Settings(models="m", members=address)))
    assert state_of(findings) == ["failed"]
    assert "secret" not in str(findings)


def test_a_member_store_in_a_file(tmp_path):
    file, key = tmp_path / "members.db", tmp_path / "key"
    settings = Settings(models="m", members=f"sqlite:{file}", members_timeout_seconds=5)
    assert state_of(check_member_store(settings)) == ["ok"]
    assert not list(tmp_path.iterdir()), "a check makes nothing"
    create(file, own_key(file))
    assert state_of(check_member_store(settings)) == ["ok", "warning"]
    members = SqliteMembers(file)
    members.set_live(COMPLETE)
    members.close()
    assert state_of(check_member_store(settings)) == ["ok", "ok"]
    key.write_bytes(b"sixteen bytes or more")
    assert state_of(check_member_store(settings.model_copy(update={"member_key": key}))) == ["ok", "failed"]
    key.write_bytes(b"too short")
    assert state_of(check_member_store(settings.model_copy(update={"member_key": key}))) == ["failed"]
    file.write_bytes(b"no such file" * 100)
    assert state_of(check_member_store(settings)) == ["failed"]


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="Debian's redis-server is missing")
def test_a_member_store_that_answers(tmp_path):
    place = tmp_path / "redis.sock"
    process = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", str(place), "--save", ""], stdout=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 20
        while not place.exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        settings = Settings(models="m", members=f"unix://{place}")
        assert state_of(check_member_store(settings))[0] in ("ok", "warning")
        key = tmp_path / "key"
        key.write_bytes(b"sixteen bytes or more")
        keyed = settings.model_copy(update={"member_key": key})
        assert state_of(check_member_store(keyed))[1] == "warning", "it may lack ratings"
        (tmp_path / "outcomes").mkdir()
        push = ["--outcomes", str(tmp_path / "outcomes"), "--to", f"unix://{place}", "--member-key", str(key)]
        assert training(["members", "push", *push]) == 0
        assert state_of(check_member_store(keyed))[1] == "ok"
        call = ["redis-cli", "-s", str(place), "CONFIG", "SET", "requirepass", "x"]
        subprocess.run(call, check=True, capture_output=True)
        assert state_of(check_member_store(settings)) == ["failed"]
    finally:
        process.terminate()
        process.wait(20)
