"""A damaged table of members hides some of them; what is told of the others stays right."""

from model.pieces import PIECE
from protos.coldstart.v1 import enjoyment_service_pb2 as pb


def test_members_behind_a_flipped_bit_are_unknown_counted_and_logged_once(world, own_store, start_server):
    path = own_store / "versions" / world.versions[0] / "members" / "movies.npy"
    content = bytearray(path.read_bytes())
    assert len(content) > PIECE, "else the damage lies where the file's shape stands, and the model is refused"
    content[-1] ^= 1
    path.write_bytes(content)
    server = start_server(own_store)
    everyone = sorted({*world.tables.plays["member_id"]})
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
