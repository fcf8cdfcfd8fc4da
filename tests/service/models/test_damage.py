"""A damaged table of members hides some of them; predictions for the others stay right."""

import os

from coldstart_client.v1 import enjoyment_service_pb2 as pb
from model.files.checked_array import PIECE


def test_members_behind_a_flipped_bit_are_unknown_counted_and_logged_once(world, own_store, start_server):
    path = own_store / "versions" / world.versions[0] / "members" / "movies.npy"
    server = start_server(own_store)
    with path.open("r+b") as file:  # while the service runs: it would refuse a version that is damaged already
        content = file.read()
        assert len(content) > PIECE, "else all members are behind it"
        file.seek(-1, os.SEEK_END)
        file.write(bytes([content[-1] ^ 1]))
    everyone = sorted({*world.tables.plays["member_id"]})[::3]
    movie_id = world.movie_ids[0]
    lost = 0
    for member_id in everyone:
        asked = pb.PredictEnjoymentRequest(member=pb.Member(member_id=member_id), movie_ids=[movie_id])
        answer, sound = server.stub.PredictEnjoyment(asked), world.stub.PredictEnjoyment(asked)
        if answer.unused.unknown_member:
            lost += 1
            assert answer.member_evidence == pb.MEMBER_EVIDENCE_NOTHING
        else:
            assert answer == sound
    assert 0 < lost < len(everyone)
    assert server.metric("coldstart_damaged_member_lookups_total") == lost
    (line,) = [line for line in server.log() if line["event"] == "members_damaged"]
    assert line["reason"] == "members/movies.npy isn't as it was written"
