"""Hashes of members' ids tell nothing to those who lack the key."""

import pytest

from model.errors import WrongKey
from model.facts.member_key import PLAIN, MemberKey

SECRET = bytes(range(32))


def test_hashes_depend_on_the_id_and_the_secret():
    keyed = MemberKey(SECRET)
    assert keyed.hash_of("someone") == MemberKey(SECRET).hash_of("someone")
    hashes = {key.hash_of(name) for key in (PLAIN, keyed, MemberKey(SECRET[1:])) for name in ("someone", "else")}
    assert len(hashes) == 6


def test_a_fingerprint_tells_secrets_apart_and_reveals_none():
    assert PLAIN.fingerprint == ""
    fingerprints = {MemberKey(secret).fingerprint for secret in (SECRET, SECRET[1:])}
    assert len(fingerprints) == 2
    assert not any(SECRET.hex() in text for text in (*fingerprints, repr(MemberKey(SECRET))))


def test_the_secret_is_read_from_a_file(tmp_path):
    (tmp_path / "key").write_bytes(SECRET)
    assert MemberKey.read(tmp_path / "key") == MemberKey(SECRET)
    assert MemberKey.read(None) == PLAIN


@pytest.mark.parametrize(
    ("content", "message"), [(b"short", "16 to 64 bytes"), (b"x" * 65, "16 to 64"), (None, "read")]
)
def test_an_unusable_file_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(WrongKey, match=message):
        MemberKey.read(tmp_path / "key")
