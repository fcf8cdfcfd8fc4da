"""Until when certificates are valid, read from their own bytes: Python's ssl tells it only of a peer's."""

import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
SEQUENCE, INTEGER, CONTEXT_0, UTC_TIME, GENERALIZED_TIME = 0x30, 0x02, 0xA0, 0x17, 0x18
"""Tags of ASN.1 in DER."""


class NoDates(ValueError):
    """It isn't a certificate in the form that RFC 5280 gives."""


def validity(content: bytes) -> list[tuple[datetime, datetime]]:
    """When each certificate of a PEM file begins and ends to be valid; raises NoDates."""
    found = []
    for pem in PEM.findall(content):
        try:
            der = ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))
            found.append(_validity(der))
        except (ValueError, IndexError) as error:
            raise NoDates("a certificate can't be read") from error
    return found


def _validity(der: bytes) -> tuple[datetime, datetime]:
    """Certificate { TBSCertificate { [version], serial, signature, issuer, validity { begin, end }, … } … }."""
    [(outer, certificate)] = _parts(der)
    (inner, signed), *_ = _parts(certificate)
    if (outer, inner) != (SEQUENCE, SEQUENCE):
        raise NoDates("no certificate")
    parts = [part for part in _parts(signed) if part[0] != CONTEXT_0]
    if [tag for tag, _ in parts[:4]] != [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE]:
        raise NoDates("no certificate")
    begin, end = (_time(tag, told) for tag, told in _parts(parts[3][1]))
    return begin, end


def _parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element."""
    at = 0
    while at < len(der):
        tag, length, at = der[at], der[at + 1], at + 2
        if length > 127:
            count = length - 128
            length, at = int.from_bytes(der[at : at + count]), at + count
        if at + length > len(der):
            raise NoDates("cut off")
        yield tag, der[at : at + length]
        at += length


def _time(tag: int, told: bytes) -> datetime:
    text = told.decode("ascii")
    if tag == UTC_TIME:  # years of two digits are those from 1950 to 2049
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != GENERALIZED_TIME:
        raise NoDates("no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
