"""A server that wants tokens, and certificates for tests of the client over TLS."""

import subprocess

import pytest

from service.rpc.security.tokens import entry_text, new_token
from tests.conftest import starting


@pytest.fixture(scope="package")
def certificates(tmp_path_factory):
    """Keys and certificates of an authority, a server and a client."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority", "-days", "2")
    for name in ("server", "client"):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "names").write_text("subjectAltName=DNS:coldstart.test,IP:127.0.0.1")
        openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", f"{name}.pem", "-days", "2", "-extfile", "names",
        )  # fmt: skip
    return folder


@pytest.fixture(scope="package")
def guarded(world, tmp_path_factory):
    """A server that wants tokens: one is good for predictions, one for the model."""
    file = tmp_path_factory.mktemp("tokens") / "tokens.toml"
    tokens = {"predictions": new_token(), "model": new_token()}
    methods = {"predictions": ["PredictEnjoyment", "StreamPredictEnjoyment"], "model": ["GetModel"]}
    file.write_text("\n".join(entry_text(name, tokens[name], methods[name], bytes(16)) for name in tokens))
    with starting(tmp_path_factory) as start:
        server = start(world.models, "--tokens", str(file))
        server.tokens = tokens
        yield server
