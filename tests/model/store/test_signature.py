"""Signed versions: only what the right key has signed passes."""

import subprocess

import pytest

from model.errors import ArtifactError, WrongKey
from model.files.manifest import named_manifest
from model.store.signature import SIGNATURE, private_key, public_key, sign, signed_by
from model.store.store import Store


@pytest.fixture
def keys(tmp_path):
    """A private and a public key, made as the documentation says."""

    def make(name="key", algorithm="ed25519"):
        private, public = tmp_path / f"{name}.pem", tmp_path / f"{name}.pub"
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", algorithm, "-out", private], check=True, capture_output=True
        )
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
        return private.read_bytes(), public.read_bytes()

    return make


def test_a_version_passes_only_with_the_signature_of_the_right_key(tmp_path, write_version, keys):
    store = Store(tmp_path / "models")
    one, two = write_version(store, "one"), write_version(store, "two")
    private, public = keys()
    manifest, _ = named_manifest(store.folder(one))
    verify = signed_by(store, public_key(public))(one)
    with pytest.raises(ArtifactError, match="isn't signed") as refused:
        verify(manifest)
    assert refused.value.reason == "unsigned"
    sign(store, one, private_key(private))
    verify(manifest)
    with pytest.raises(ArtifactError, match="isn't signed by the key"):
        verify(manifest + b" ")
    other = named_manifest(store.folder(two))[0]
    with pytest.raises(ArtifactError, match="isn't signed"):
        signed_by(store, public_key(public))(two)(other)
    store.write_record(two, SIGNATURE, store.read_record(one, SIGNATURE))
    with pytest.raises(ArtifactError, match="isn't signed by the key"):
        signed_by(store, public_key(public))(two)(other)
    with pytest.raises(ArtifactError, match="isn't signed by the key"):
        signed_by(store, public_key(keys("other")[1]))(one)(manifest)


def test_a_damaged_version_is_not_signed(tmp_path, write_version, keys):
    store = Store(tmp_path / "models")
    one = write_version(store, "one")
    (store.folder(one) / "file").write_text("eno")
    with pytest.raises(ArtifactError):
        sign(store, one, private_key(keys()[0]))
    assert store.records(one) == []


def test_a_key_of_another_kind_is_told(tmp_path, keys):
    private, public = keys("x", "x25519")
    for content in (b"nonsense", private, public):
        with pytest.raises(WrongKey):
            private_key(content)
        with pytest.raises(WrongKey):
            public_key(content)
