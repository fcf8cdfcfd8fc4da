"""Page tokens: where a ranking goes on, good for one request and one model version only."""

import base64
import binascii
import hashlib

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from service.errors import InvalidRequest, Violation

_OFFSET_BYTES = 4
_DIGEST_BYTES = 16


def page_token(request: pb.RankMoviesRequest, version: str, offset: int) -> str:
    """The token of the page that begins at this place of the ranking."""
    place = offset.to_bytes(_OFFSET_BYTES, "big")
    return base64.urlsafe_b64encode(place + _digest(request, version, place)).decode("ascii")


def page_offset(request: pb.RankMoviesRequest, version: str) -> int:
    """Where the page that the request asks for begins; raises InvalidRequest for a token of anything else."""
    if not request.page_token:
        return 0
    try:
        token = base64.b64decode(request.page_token.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        token = b""
    place = token[:_OFFSET_BYTES]
    if token != place + _digest(request, version, place):
        rule = "must be the next_page_token of an otherwise equal request to the model version that is served now"
        raise InvalidRequest(Violation("page_token", rule))
    return int.from_bytes(place, "big")


def _digest(request: pb.RankMoviesRequest, version: str, place: bytes) -> bytes:
    """What binds a token to the request, page_token and page_size aside."""
    bound = pb.RankMoviesRequest()
    bound.CopyFrom(request)
    bound.ClearField("page_token")
    bound.ClearField("page_size")
    told = bound.SerializeToString(deterministic=True)
    return hashlib.sha256(b"\0".join((version.encode(), place, told))).digest()[:_DIGEST_BYTES]
