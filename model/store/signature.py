"""Signatures of versions: ed25519 over the manifest, which names the hash of every other file.

A signature stands among the records of its version, so that a version can be signed later, or by another key.
"""

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from model.errors import ArtifactError, WrongKey
from model.files.manifest import named_manifest
from model.store.store import Store

SIGNATURE = "manifest.sig"
"""The record that holds it."""


def private_key(content: bytes) -> Ed25519PrivateKey:
    """The key in a PEM file; raises WrongKey."""
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise WrongKey("the private key isn't one in PEM without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise WrongKey("the private key isn't an ed25519 key")
    return key


def sign(store: Store, version: str, key: Ed25519PrivateKey) -> None:
    """Sign a version of the store; raises ArtifactError where it isn't whole."""
    store.check(version)
    manifest, _ = named_manifest(store.fetch(version))
    store.write_record(version, SIGNATURE, key.sign(manifest))


def public_key(content: bytes) -> Ed25519PublicKey:
    """The key in a PEM file; raises WrongKey."""
    try:
        key = load_pem_public_key(content)
    except ValueError as error:
        raise WrongKey("the public key isn't one in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise WrongKey("the public key isn't an ed25519 key")
    return key


def signed_by(store: Store, key: Ed25519PublicKey) -> Callable[[str], Callable[[bytes], None]]:
    """For a version, what raises ArtifactError unless the manifest that it is shown is signed."""

    def of_version(version: str) -> Callable[[bytes], None]:
        def verify(manifest: bytes) -> None:
            signature = store.read_record(version, SIGNATURE)
            if signature is None:
                raise ArtifactError("the version isn't signed", "unsigned")
            try:
                key.verify(signature, manifest)
            except InvalidSignature as error:
                raise ArtifactError("the version isn't signed by the key that is asked for", "unsigned") from error

        return verify

    return of_version
