"""Health and reflection: what gRPC's own tools ask a server."""

import threading

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from coldstart_client.v1 import enjoyment_service_pb2 as pb

SERVICES = ("", "coldstart.v1.EnjoymentService")
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


def health(server):
    return health_pb2_grpc.HealthStub(server.channel)


def check(server, service):
    return health(server).Check(health_pb2.HealthCheckRequest(service=service)).status


def watch(server, service):
    return health(server).Watch(health_pb2.HealthCheckRequest(service=service), timeout=20)


@pytest.mark.parametrize("service", SERVICES)
def test_a_server_with_a_model_is_serving(world, service):
    assert check(world.server, service) == SERVING
    assert world.server.metric("coldstart_ready") == 1


def test_all_services_are_listed(world):
    statuses = health(world.server).List(health_pb2.HealthListRequest()).statuses
    assert {service: response.status for service, response in statuses.items()} == dict.fromkeys(SERVICES, SERVING)


def test_an_unknown_service_is_refused_and_watched_as_unknown(world, refused):
    assert refused(lambda: check(world.server, "elsewhere")).code() == grpc.StatusCode.NOT_FOUND
    stream = watch(world.server, "elsewhere")
    assert next(stream).status == SERVICE_UNKNOWN
    stream.cancel()


def test_a_server_without_a_model_is_not_serving_until_one_is_published(
    tmp_path, start_server, sample, own_store, refused, details
):
    models = tmp_path / "empty"
    server = start_server(models, "--reload-seconds", "0.1")
    assert server.told["model_version"] is None
    assert [check(server, service) for service in SERVICES] == [SERVING, NOT_SERVING], "it lives and can't answer"
    assert server.metric("coldstart_ready") == 0
    error = refused(lambda: server.stub.PredictEnjoyment(pb.PredictEnjoymentRequest(movie_ids=["a"])))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    [retry] = details(error, error_details_pb2.RetryInfo)
    assert retry.retry_delay.ToTimedelta().total_seconds() == pytest.approx(0.1)
    watched = watch(server, SERVICES[1])
    assert next(watched).status == NOT_SERVING
    own_store.rename(models)
    assert next(watched).status == SERVING
    assert server.stub.GetModel(pb.GetModelRequest()).model_version == sample[2][0]
    watched.cancel()


def test_open_watches_see_a_stop_and_do_not_hold_it_up(world, start_server):
    server = start_server(world.models, "--grace-seconds", "30")
    watches = [watch(server, service) for service in SERVICES * 5]
    assert {next(each).status for each in watches} == {SERVING}
    ended: list[int] = []
    readers = [
        threading.Thread(target=lambda each=each: ended.append([response.status for response in each]))
        for each in watches
    ]
    for reader in readers:
        reader.start()
    server.process.terminate()
    assert server.process.wait(5) == 0
    for reader in readers:
        reader.join(5)
    assert ended == [[NOT_SERVING]] * len(watches)


def test_reflection_lists_the_services_and_their_messages(world):
    database = ProtoReflectionDescriptorDatabase(world.server.channel)
    assert set(database.get_services()) == {
        "coldstart.v1.EnjoymentService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    file = database.FindFileContainingSymbol("coldstart.v1.EnjoymentService")
    assert "PredictEnjoymentRequest" in {message.name for message in file.message_type}
