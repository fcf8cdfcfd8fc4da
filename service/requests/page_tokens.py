"""Page tokens, by which callers ask for further pages of a ranking; each is valid for one request and model version."""

import base64
import binascii
import hashlib

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from service.errors import InvalidRequest, Violation

_OFFSET_BYTES = 4
_DIGEST_BYTES = 16


def page_token(request: pb.RankMoviesRequest, version: str, offset: int) -> str:
    """Return the token by which a caller asks for the page that starts at position `offset` of a ranking."""
    encoded_offset = offset.to_bytes(_OFFSET_BYTES, "big")
    return base64.urlsafe_b64encode(encoded_offset + _digest(request, version, encoded_offset)).decode("ascii")


def page_offset(request: pb.RankMoviesRequest, version: str) -> int:
    """Return the position in the ranking at which the requested page starts; 0 if the request has no page token.

    Raises InvalidRequest if the token was not issued for this request and model version.
    """
    if not request.page_token:
        return 0
    try:
        token = base64.b64decode(request.page_token.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        token = b""
    encoded_offset = token[:_OFFSET_BYTES]
    if token != encoded_offset + _digest(request, version, encoded_offset):
        rule = "must be the next_page_token of an otherwise equal request to the model version that is served now"
        raise InvalidRequest(Violation("page_token", rule))
    return int.from_bytes(encoded_offset, "big")


def _digest(request: pb.RankMoviesRequest, version: str, encoded_offset: bytes) -> bytes:
    """Hash what a page token is valid for: model version, offset, and the request without page_token and page_size."""
    bound = pb.RankMoviesRequest()
    bound.CopyFrom(request)
    bound.ClearField("page_token")
    bound.ClearField("page_size")
    content = bound.SerializeToString(deterministic=True)
    return hashlib.sha256(b"\0".join((version.encode(), encoded_offset, content))).digest()[:_DIGEST_BYTES]
