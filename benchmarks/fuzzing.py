"""Hypothesis strategies for requests, built from the protobuf descriptors: messages of any shape, and invalid bytes."""

import struct
from functools import cache
from random import Random
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

NUMBERS = (
    0.0, -0.0, 1.0, 0.5, -1.0, 34.0, 1e-320, 3.4e38, 3.5e38, 1e308, -1e308, float("nan"), float("inf"), float("-inf")
)  # fmt: skip
INTEGERS = (0, 1, -1, 20, 1000, 1001, 1799, 1800, 2024, 2200, 2201, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
TEXTS = (
    "", " ", "a", "movie-001", "member-0001", "age", "gender", "region", "F", "true", "Drama", "\0", "\n", '"', "\\",
    "ü" * 256, "🎬" * 256, "x" * 257, "x" * 1001, "\u202egnp", "\ufeff", "e\u0301", "\U0010ffff", "%s%n{}",
    "../../etc/passwd", "NaN", "AAAA====",
)  # fmt: skip
UNKNOWN_ENUM_VALUES = (99, -1, 2**31 - 1)
USUAL_NUMBERS, USUAL_INTEGERS = (0.0, 0.5, 1.0), (1, 20, 1990)
USUAL_TEXTS = ("movie-001", "movie-002", "member-0001", "Drama")
MOST_ENTRIES = 5
LARGE_COUNTS = (30, 101, 1000, 1001, 10_001)
LARGE_ONE_IN = 200
"""One in so many repeated fields gets a large count of equal entries."""
CPP = FieldDescriptor


def _varint(number: int) -> bytes:
    """The protobuf encoding of an unsigned integer."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _tag(field_number: int, wire_type: int) -> bytes:
    return _varint(field_number << 3 | wire_type)


FRAGMENTS = (
    *(_tag(9, 0) + _varint(number) for number in (0, 2**63, 2**64 - 1)),
    *(_tag(16, 1) + struct.pack("<d", number) for number in NUMBERS),
    *(_tag(number, 2) + _varint(3) + b"abc" for number in (0, 15, 1000, 19_000, 2**29 - 1)),
    *(_tag(number, 2) + _varint(length) + b"x" for number in range(1, 8) for length in (2**31 - 1, 2**32, 2**63)),
    *(_tag(number, 2) + _varint(len(text)) + text for number in range(1, 8)
      for text in (b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80")),
    *(_tag(9, 3) * depth for depth in (1, 99, 101, 5000)),
    _tag(9, 4), _tag(16, 5) + struct.pack("<i", -1), _tag(9, 6), _tag(9, 7),
)  # fmt: skip
"""Unknown fields of each wire type, lengths beyond the end, text that is not UTF-8, deep and unbalanced groups."""


def requests(method: MethodDescriptor) -> SearchStrategy[bytes]:
    """The bytes of a message of usual or of any values, the same with edited bytes, or random bytes."""
    usual, extreme = (
        messages(method.input_type, usual=usual).map(lambda message: message.SerializeToString())
        for usual in (True, False)
    )
    changed = st.builds(edited, usual | extreme, st.randoms(use_true_random=False))
    return st.one_of(usual, extreme, changed, st.binary(max_size=1000))


@cache
def messages(descriptor: Descriptor, *, usual: bool = False) -> SearchStrategy[Message]:
    """Messages with any of their fields, and at most one of each oneof, set to any values or to usual ones only."""
    kind = GetMessageClass(descriptor)
    oneofs = [
        st.one_of(st.just({}), *(st.fixed_dictionaries({field.name: _values(field, usual)}) for field in oneof.fields))
        for oneof in descriptor.oneofs
    ]
    plain = {field.name: _values(field, usual) for field in descriptor.fields if field.containing_oneof is None}
    return st.tuples(st.fixed_dictionaries({}, optional=plain), *oneofs).map(
        lambda parts: kind(**{name: value for part in parts for name, value in part.items()})
    )


def edited(raw: bytes, chance: Random) -> bytes:
    """The bytes with up to four places at which some are removed, inserted or replaced."""
    for _ in range(chance.randint(1, 4)):
        begin = chance.randint(0, len(raw))
        end = chance.choice((begin, begin + 1, begin + 8, len(raw)))
        raw = raw[:begin] + chance.choice((b"", chance.randbytes(8), chance.choice(FRAGMENTS))) + raw[end:]
    return raw


def _values(field: FieldDescriptor, usual: bool) -> SearchStrategy[Any]:
    if not field.is_repeated:
        return _single_values(field, usual)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        key, value = (_single_values(field.message_type.fields_by_name[name], usual) for name in ("key", "value"))
        return _sometimes_large(
            st.dictionaries(key, value, max_size=MOST_ENTRIES),
            st.builds(lambda value, count: {str(n): value for n in range(count)}, value, st.sampled_from(LARGE_COUNTS)),
        )
    value = _single_values(field, usual)
    return _sometimes_large(
        st.lists(value, max_size=MOST_ENTRIES),
        st.builds(lambda value, count: [value] * count, value, st.sampled_from(LARGE_COUNTS)),
    )


def _sometimes_large(small: SearchStrategy[Any], large: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.integers(1, LARGE_ONE_IN).flatmap(lambda number: large if number == LARGE_ONE_IN else small)


def _single_values(field: FieldDescriptor, usual: bool) -> SearchStrategy[Any]:
    match field.cpp_type:
        case CPP.CPPTYPE_MESSAGE:
            return st.deferred(lambda: messages(field.message_type, usual=usual))
        case CPP.CPPTYPE_STRING if usual:
            return st.sampled_from(USUAL_TEXTS)
        case CPP.CPPTYPE_STRING:
            texts = st.sampled_from(TEXTS) | st.text(max_size=20)
            return texts if field.type == CPP.TYPE_STRING else st.binary(max_size=20)
        case CPP.CPPTYPE_BOOL:
            return st.booleans()
        case CPP.CPPTYPE_DOUBLE if usual:
            return st.sampled_from(USUAL_NUMBERS)
        case CPP.CPPTYPE_DOUBLE:
            return st.sampled_from(NUMBERS) | st.floats()
        case CPP.CPPTYPE_FLOAT:
            return st.floats(width=32)
        case CPP.CPPTYPE_ENUM:
            return st.sampled_from([*field.enum_type.values_by_number, *(() if usual else UNKNOWN_ENUM_VALUES)])
    if usual:
        return st.sampled_from(USUAL_INTEGERS)
    bits = 64 if field.cpp_type in (CPP.CPPTYPE_INT64, CPP.CPPTYPE_UINT64) else 32
    unsigned = field.cpp_type in (CPP.CPPTYPE_UINT32, CPP.CPPTYPE_UINT64)
    low, high = (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return st.sampled_from([number for number in INTEGERS if low <= number <= high]) | st.integers(low, high)
