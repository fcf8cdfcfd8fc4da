"""ed25519 signatures of versions (published models); the signed manifest lists the hashes of the other files.

The signature is stored as a record, a small file about the version beside it. So a version can be signed after
publication or with another key.
"""

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from model.errors import ArtifactError, WrongKey
from model.files.manifest import named_manifest
from model.store.store import Store

SIGNATURE = "manifest.sig"
"""Name of the record about a version that holds its signature."""


def private_key(content: bytes) -> Ed25519PrivateKey:
    """Parse the PEM file of the private key that signs versions.

    Raises WrongKey if it isn't an unencrypted ed25519 key.
    """
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise WrongKey("the private key isn't one in PEM without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise WrongKey("the private key isn't an ed25519 key")
    return key


def sign(store: Store, version: str, key: Ed25519PrivateKey) -> None:
    """Sign a version (one published model) and store the signature beside it.

    Raises StoreError if the version isn't in the store, or ArtifactError if it is incomplete or damaged.
    """
    store.check(version)
    manifest, _ = named_manifest(store.fetch(version))
    store.write_record(version, SIGNATURE, key.sign(manifest))


def public_key(content: bytes) -> Ed25519PublicKey:
    """Parse the PEM file of the public key that checks signatures. Raises WrongKey if it isn't an ed25519 key."""
    try:
        key = load_pem_public_key(content)
    except ValueError as error:
        raise WrongKey("the public key isn't one in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise WrongKey("the public key isn't an ed25519 key")
    return key


def signed_by(store: Store, key: Ed25519PublicKey) -> Callable[[str], Callable[[bytes], None]]:
    """Return a function that takes a version and returns a check that this version is signed by `key`.

    The check takes the bytes of the version's manifest. It raises ArtifactError unless the store has a valid signature.
    """

    def of_version(version: str) -> Callable[[bytes], None]:
        def verify(manifest: bytes) -> None:
            signature = store.read_record(version, SIGNATURE)
            if signature is None:
                raise ArtifactError("the version isn't signed", "unsigned")
            try:
                key.verify(signature, manifest)
            except InvalidSignature as error:
                raise ArtifactError("the version isn't signed by the key that is required", "unsigned") from error

        return verify

    return of_version
