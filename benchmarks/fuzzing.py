"""Requests as nobody should send them: messages of any shape, and bytes that are hardly messages."""

import random
import struct
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

NUMBERS = (
    0.0, -0.0, 1.0, 0.5, -1.0, 34.0, 1e-320, 3.4e38, 3.5e38, 1e308, -1e308, float("nan"), float("inf"), float("-inf")
)  # fmt: skip
WHOLE = (0, 1, -1, 20, 1000, 1001, 1799, 1800, 2024, 2200, 2201, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
TEXTS = (
    "", " ", "a", "movie-001", "member-0001", "age", "gender", "region", "F", "true", "Drama", "\0", "\n", '"', "\\",
    "ü" * 256, "🎬" * 256, "x" * 257, "x" * 1001, "\u202egnp", "\ufeff", "e\u0301", "\U0010ffff", "%s%n{}",
    "../../etc/passwd", "NaN", "AAAA====",
)  # fmt: skip
COUNTS = (0, 0, 1, 1, 2, 3, 5, 30)
LARGE_COUNTS = (101, 1000, 1001, 10_001)
LARGE_SHARE = 0.002
DEEPEST = 5
CPP = FieldDescriptor


def message_of(method: MethodDescriptor, chance: random.Random) -> Message:
    """A request of the method with any fields set to anything."""
    message: Message = GetMessageClass(method.input_type)()
    _fill(message, chance, 0)
    return message


def request_of(method: MethodDescriptor, chance: random.Random) -> bytes:
    """The bytes of a request: a message as it is, a changed one, or noise."""
    kind = chance.random()
    if kind < 0.05:
        return chance.randbytes(chance.choice((0, 1, 2, 10, 100, 1000)))
    raw = message_of(method, chance).SerializeToString()
    if kind < 0.4:
        return raw
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        raw = chance.choice(MUTATIONS)(raw, chance)
    return raw


def _fill(message: Any, chance: random.Random, depth: int) -> None:
    for field in message.DESCRIPTOR.fields:
        if chance.random() < 0.4:
            continue
        if field.is_repeated:
            _fill_repeated(message, field, chance, depth)
        elif field.cpp_type == CPP.CPPTYPE_MESSAGE:
            if depth < DEEPEST:
                part = getattr(message, field.name)
                part.SetInParent()
                _fill(part, chance, depth + 1)
        else:
            setattr(message, field.name, _value(field, chance))


def _fill_repeated(message: Any, field: FieldDescriptor, chance: random.Random, depth: int) -> None:
    values = getattr(message, field.name)
    count = chance.choice(LARGE_COUNTS if chance.random() < LARGE_SHARE else COUNTS)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = field.message_type.fields_by_name["value"]
        for number in range(count):
            key = chance.choice(TEXTS) if number < len(TEXTS) else f"{number}"
            if value.cpp_type == CPP.CPPTYPE_MESSAGE:
                _fill(values[key], chance, depth + 1)
            else:
                values[key] = _value(value, chance)
    elif field.cpp_type == CPP.CPPTYPE_MESSAGE:
        for _ in range(count):
            _fill(values.add(), chance, depth + 1)
    else:
        values.extend(_value(field, chance) for _ in range(count))


def _value(field: FieldDescriptor, chance: random.Random) -> Any:
    match field.cpp_type:
        case CPP.CPPTYPE_STRING:
            return chance.choice(TEXTS) if field.type == CPP.TYPE_STRING else chance.randbytes(8)
        case CPP.CPPTYPE_BOOL:
            return chance.random() < 0.5
        case CPP.CPPTYPE_DOUBLE | CPP.CPPTYPE_FLOAT:
            return chance.choice(NUMBERS) if chance.random() < 0.8 else chance.uniform(-10, 10)
        case CPP.CPPTYPE_ENUM:
            return chance.choice((0, 1, 2, 3, 99, -1, 2**31 - 1))
    bits = 64 if field.cpp_type in (CPP.CPPTYPE_INT64, CPP.CPPTYPE_UINT64) else 32
    low = 0 if field.cpp_type in (CPP.CPPTYPE_UINT32, CPP.CPPTYPE_UINT64) else -(2 ** (bits - 1))
    return min(max(chance.choice(WHOLE), low), 2 ** (bits - 1) - 1)


def _flip(raw: bytes, chance: random.Random) -> bytes:
    if not raw:
        return raw
    place = chance.randrange(len(raw))
    return raw[:place] + bytes([raw[place] ^ (1 << chance.randrange(8))]) + raw[place + 1 :]


def _cut(raw: bytes, chance: random.Random) -> bytes:
    return raw[: chance.randrange(len(raw) + 1)]


def _drop(raw: bytes, chance: random.Random) -> bytes:
    begin = chance.randrange(len(raw) + 1)
    return raw[:begin] + raw[begin + chance.randrange(1, 9) :]


def _insert(raw: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(raw) + 1)
    return raw[:place] + chance.randbytes(chance.randrange(1, 9)) + raw[place:]


def _repeat(raw: bytes, chance: random.Random) -> bytes:
    begin = chance.randrange(len(raw) + 1)
    part = raw[begin : begin + chance.randrange(1, 65)]
    return raw[:begin] + part * chance.randrange(1, 20) + raw[begin:]


def _unknown_field(raw: bytes, chance: random.Random) -> bytes:
    """A field that the contract lacks, of any wire type."""
    wire = chance.randrange(6)
    tag = _varint(chance.choice((0, 9, 15, 16, 1000, 19_000, 2**29 - 1)) << 3 | wire)
    body = (
        _varint(chance.choice((0, 2**63, 2**64 - 1))),
        struct.pack("<d", chance.choice(NUMBERS)),
        _varint(3) + b"abc",
        b"\x4c" * chance.choice((0, 1, 99, 101, 5000)),
        b"",
        struct.pack("<i", -1),
    )[wire]
    return raw + tag + body


def _long_length(raw: bytes, chance: random.Random) -> bytes:
    """A field that says it is longer than all that follows."""
    return raw + _varint(chance.randrange(1, 8) << 3 | 2) + _varint(chance.choice((2**31 - 1, 2**32, 2**63))) + b"x"


def _not_utf8(raw: bytes, chance: random.Random) -> bytes:
    """A text that is none: cut, overlong, or half of a pair."""
    text = chance.choice((b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"))
    return raw + _varint(chance.randrange(1, 8) << 3 | 2) + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip, _flip, _cut, _drop, _insert, _repeat, _unknown_field, _long_length, _not_utf8
)  # fmt: skip
