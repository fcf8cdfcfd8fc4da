"""Which members the candidate answers."""

import pytest

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from service.models.canary import Canary

MEMBERS = [pb.Member(member_id=str(number)) for number in range(4000)]


def picked(share, key=b"key"):
    canary = Canary(share, key)
    return {member.member_id for member in MEMBERS if canary.picks(member)}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 1.0])
def test_the_share_is_that_which_is_asked_for(share):
    assert len(picked(share)) / len(MEMBERS) == pytest.approx(share, abs=0.02)


def test_a_larger_share_keeps_the_members_of_a_smaller_one():
    assert picked(0.1) < picked(0.3) < picked(1.0)


def test_another_key_picks_others():
    assert len(picked(0.5) & picked(0.5, b"other")) == pytest.approx(1000, abs=150)


def test_facts_count_only_where_there_is_no_id():
    canary = Canary(0.5, b"key")
    for number in range(50):
        plain, described = pb.Member(member_id=str(number)), pb.Member(member_id=str(number))
        described.attributes["age"].number = number
        assert canary.picks(plain) == canary.picks(described)
