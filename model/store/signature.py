"""ed25519 signatures of versions; the manifest is signed, which lists the hashes of the other files.

The signature is stored as a record of the version, so a version can be signed after publication or with another key.
"""

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from model.errors import ArtifactError, WrongKey
from model.files.manifest import named_manifest
from model.store.store import Store

SIGNATURE = "manifest.sig"
"""Name of the record that holds the signature."""


def private_key(content: bytes) -> Ed25519PrivateKey:
    """Parse the content of a private key's PEM file. Raises WrongKey if it isn't an unencrypted ed25519 key."""
    try:
        key = load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise WrongKey("the private key isn't one in PEM without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise WrongKey("the private key isn't an ed25519 key")
    return key


def sign(store: Store, version: str, key: Ed25519PrivateKey) -> None:
    """Sign a version and store the signature as a record of the version.

    Raises StoreError if the version isn't in the store, or ArtifactError if it is incomplete or damaged.
    """
    store.check(version)
    manifest, _ = named_manifest(store.fetch(version))
    store.write_record(version, SIGNATURE, key.sign(manifest))


def public_key(content: bytes) -> Ed25519PublicKey:
    """Parse the content of a public key's PEM file. Raises WrongKey if it isn't an ed25519 key."""
    try:
        key = load_pem_public_key(content)
    except ValueError as error:
        raise WrongKey("the public key isn't one in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise WrongKey("the public key isn't an ed25519 key")
    return key


def signed_by(store: Store, key: Ed25519PublicKey) -> Callable[[str], Callable[[bytes], None]]:
    """Return a function that takes a version and returns a check of the version's manifest.

    The check raises ArtifactError unless the manifest has a valid signature by `key` in the store.
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
