"""OTLP's rules for senders, by what a running gateway does on each answer. docs/conformance.md lists all rules."""

from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest
from grpc import StatusCode
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.gateway import RunningGateway, configuration, gateway
from support.otlp_sink import Answer, OtlpSink, Received

from otel_agent_eval.signals import Signal

RETRYABLE_HTTP = (429, 502, 503, 504)
PERMANENT_HTTP = (
    300,
    301,
    307,
    308,
    400,
    401,
    403,
    405,
    406,
    408,
    409,
    410,
    411,
    412,
    415,
    422,
    425,
    431,
    451,
    500,
    505,
    511,
)
RETRYABLE_GRPC = ("CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS")
PERMANENT_GRPC = (
    *("UNKNOWN", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"),
    *("FAILED_PRECONDITION", "UNIMPLEMENTED", "INTERNAL", "UNAUTHENTICATED"),
)


class Wired(NamedTuple):
    """A gateway with a destination for each protocol."""

    gateway: RunningGateway
    sinks: dict[str, OtlpSink]

    def send(self, name: str) -> None:
        """Send a request with one span."""
        request = ExportTraceServiceRequest()
        request.resource_spans.add().scope_spans.add().spans.add(name=name, trace_id=b"t" * 16, span_id=b"s" * 8)
        headers = {"content-type": "application/x-protobuf"}
        url = f"{self.gateway.http_endpoint}/v1/traces"
        httpx.post(url, content=request.SerializeToString(), headers=headers).raise_for_status()

    def tries(self, protocol: str, name: str) -> list[Received]:
        """Return how the destination of a protocol was asked to take a span."""
        return [received for received in self.sinks[protocol].requests(Signal.TRACES) if name.encode() in received.body]

    def answered(self, protocol: str, what: str, answer: Answer, *, tries: int = 1) -> list[Received]:
        """Answer so to the first try of a span, and return its tries once the span behind it has come too."""
        sink, name, behind = self.sinks[protocol], f"[{what}]", f"<{what}>"
        sink.answer(answer, times=1, signal=Signal.TRACES)
        self.send(name)
        sink.wait_until(lambda: len(self.tries(protocol, name)) >= tries, 20, lambda: f"less than {tries} of {name}")
        self.send(behind)
        sink.wait_until(lambda: bool(self.tries(protocol, behind)), 20, lambda: f"nothing behind {name}")
        return self.tries(protocol, name)


@pytest.fixture(scope="module", params=["http", "grpc"])
def protocol(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="module")
def wired(protocol: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    with OtlpSink() as sink:
        retry = {"retry_on_failure": {"initial_interval": "50ms", "max_interval": "50ms"}}
        destination = (
            {"otlphttp/sink": {"endpoint": sink.http_endpoint, **retry}}
            if protocol == "http"
            else {"otlp/sink": {"endpoint": sink.grpc_endpoint, "tls": {"insecure": True}, **retry}}
        )
        config = configuration(destination)
        del config["processors"], config["service"]["pipelines"]["logs"], config["service"]["pipelines"]["metrics"]
        config["service"]["pipelines"]["traces"]["processors"] = []
        with gateway(config, tmp_path_factory.mktemp("gateway")) as running:
            yield Wired(running, {protocol: sink})


@pytest.mark.parametrize("status", RETRYABLE_HTTP)
@pytest.mark.parametrize("protocol", ["http"], indirect=True)
def test_the_four_http_codes_are_tried_again(wired: Wired, protocol: str, status: int) -> None:
    tries = wired.answered(protocol, str(status), Answer(http=status), tries=2)
    assert [one.answered == "ok" for one in tries] == [False, True]
    assert tries[0].body == tries[1].body


@pytest.mark.parametrize("status", PERMANENT_HTTP)
@pytest.mark.parametrize("protocol", ["http"], indirect=True)
def test_other_http_codes_are_not_and_no_redirect_is_followed(wired: Wired, protocol: str, status: int) -> None:
    assert len(wired.answered(protocol, str(status), Answer(http=status))) == 1


@pytest.mark.parametrize("code", RETRYABLE_GRPC)
@pytest.mark.parametrize("protocol", ["grpc"], indirect=True)
def test_the_six_grpc_codes_are_tried_again(wired: Wired, protocol: str, code: str) -> None:
    tries = wired.answered(protocol, code, Answer(grpc=StatusCode[code]), tries=2)
    assert [one.answered == "ok" for one in tries] == [False, True]


@pytest.mark.parametrize("code", PERMANENT_GRPC)
@pytest.mark.parametrize("protocol", ["grpc"], indirect=True)
def test_other_grpc_codes_are_not(wired: Wired, protocol: str, code: str) -> None:
    assert len(wired.answered(protocol, code, Answer(grpc=StatusCode[code]))) == 1


def test_as_long_as_the_destination_asks_for_is_waited(wired: Wired, protocol: str) -> None:
    busy = Answer(429, StatusCode.RESOURCE_EXHAUSTED, retry_after="1", retry_info=1.0)
    first, second = wired.answered(protocol, "busy", busy, tries=2)
    assert second.time - first.time >= 1.0


def test_partial_success_is_never_sent_again_and_warns_without_content(wired: Wired, protocol: str) -> None:
    assert len(wired.answered(protocol, "partly", Answer(rejected=1, message="[partly] is too old"))) == 1
    assert len(wired.answered(protocol, "warned", Answer(message="[warned] is nearly too old"))) == 1
    log = wired.gateway.log.read_text()
    assert "the destination accepted a request only in part" in log
    assert "too old" not in log


def test_requests_say_who_sends_them_and_are_gzip(wired: Wired, protocol: str) -> None:
    (received,) = wired.answered(protocol, "headers", Answer())
    assert received.headers["user-agent"].startswith("otel-agent-eval/")
    if protocol == "http":
        assert (received.headers["content-type"], received.headers["content-encoding"]) == (
            "application/x-protobuf",
            "gzip",
        )
