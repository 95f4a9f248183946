"""The gateway as a process: how it starts, stops, and what its log holds."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from live_process import Process
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from service_samples import OPENAI_SCOPE, answer, content_log, messages, own, span, traces
from support.gateway import configuration
from support.otlp_sink import UNAVAILABLE, Answer, OtlpSink
from support.processes import wait_until

from otel_agent_eval.signals import Signal


@contextmanager
def process(sink: OtlpSink, folder: Path, **processor: Any) -> Iterator[Process]:
    exporter = {"endpoint": sink.http_endpoint, "retry_on_failure": {"initial_interval": "100ms"}}
    config = configuration({"otlphttp": exporter}, {"evaluators": {"rudeness": {}}, **processor})
    made = Process(config, folder)
    try:
        made.ready()
        yield made
    finally:
        made.end()


def test_agents_of_the_sdk_are_judged_over_grpc_and_http(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    with process(otlp_sink, tmp_path) as gateway:
        for exporter in (
            GrpcExporter(endpoint=gateway.endpoint("grpc"), insecure=True),
            HttpExporter(endpoint=f"{gateway.endpoint('http')}/v1/traces"),
        ):
            provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
            provider.add_span_processor(BatchSpanProcessor(exporter))
            tracer = provider.get_tracer("shop")
            with tracer.start_as_current_span("GET /"), tracer.start_as_current_span("chat gpt-4o") as current:
                current.set_attributes(
                    {
                        "gen_ai.operation.name": "chat",
                        "gen_ai.input.messages": messages("user", "What is the capital of France?"),
                        "gen_ai.output.messages": messages("assistant", "You are rude"),
                    }
                )
            provider.shutdown()
        otlp_sink.wait(Signal.TRACES, 4)
    assert sorted(own(item).get("agent_eval.label", "") for item in otlp_sink.spans()) == ["", "", "fail", "fail"]


def test_senders_cannot_have_grpc_write_into_the_log(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    many = [(f"x-{number}", "1") for number in range(3_000)]
    with process(otlp_sink, tmp_path) as gateway:
        with grpc.insecure_channel(gateway.endpoint("grpc").removeprefix("http://")) as channel:
            export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            with pytest.raises(grpc.RpcError):
                export(b"", metadata=many, timeout=10)
        assert gateway.send(traces(answer("Paris."))) == 200
        assert "hpack" not in gateway.log.read_text()
        gateway.records()  # each line is JSON


def test_sigterm_drains_what_is_held_and_ends_with_0(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    with process(otlp_sink, tmp_path, context_wait="60s") as gateway:
        waiting = [answer("Paris.", parent_span_id=b"elsewher") for _ in range(50)]
        slow, silent = answer("sleep 1 rude"), answer()
        assert gateway.send(traces(slow, *waiting, span())) == 200
        assert gateway.send(traces(silent, scope=OPENAI_SCOPE)) == 200
        began = time.monotonic()
        gateway.popen.terminate()
        assert gateway.popen.wait(20) == 0
        assert time.monotonic() - began < 15
    labels = {item.span_id: own(item).get("agent_eval.label") for item in otlp_sink.spans()}
    assert len(otlp_sink.spans()) == len(labels) == 53
    assert labels[slow.span_id] == "fail"
    assert all(labels[item.span_id] == "pass" for item in waiting)
    assert len([record for record in otlp_sink.logs() if record.event_name]) == 51


def test_evaluator_that_does_not_end_does_not_keep_the_process(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    with process(otlp_sink, tmp_path, score_deadline="1s") as gateway:
        gateway.send(traces(answer("sleep 300")))
        otlp_sink.wait(Signal.TRACES, 1)
        gateway.popen.terminate()
        assert gateway.popen.wait(20) == 0
    assert own(otlp_sink.spans()[0])["agent_eval.rudeness.reason"] == "deadline"


def test_while_it_stops_it_is_not_ready_and_what_a_destination_refused_is_tried_until_the_end(
    otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    with process(otlp_sink, tmp_path) as gateway:
        otlp_sink.answer(UNAVAILABLE)
        assert gateway.send(traces(span())) == 200
        otlp_sink.wait_requests(1)
        gateway.popen.terminate()
        wait_until(lambda: gateway.page("readyz") == 503, 5, "readyz 503")
        assert gateway.page("healthz") == 200
        otlp_sink.answer(Answer())
        assert gateway.popen.wait(20) == 0
    assert len(otlp_sink.spans()) == 1


def test_second_sigint_ends_it_at_once(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    with process(otlp_sink, tmp_path) as gateway:
        otlp_sink.answer(UNAVAILABLE)
        gateway.send(traces(span()))
        gateway.popen.send_signal(signal.SIGINT)
        wait_until(lambda: gateway.page("readyz") == 503, 5, "readyz 503")
        gateway.popen.send_signal(signal.SIGINT)
        assert gateway.popen.wait(2) == -signal.SIGINT


def test_it_is_alive_but_not_ready_while_it_starts(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    config = configuration({"otlphttp": {"endpoint": otlp_sink.http_endpoint}})
    gateway = Process(config, tmp_path)
    try:
        wait_until(lambda: gateway.page("healthz") == 200, 30, "start")
        statuses = []
        while not statuses or statuses[-1] != 200:
            statuses.append(gateway.page("readyz"))
            time.sleep(0.01)
            assert gateway.popen.poll() is None
        assert set(statuses) <= {503, 200}
        gateway.popen.terminate()
        assert gateway.popen.wait(20) == 0
    finally:
        gateway.end()
    assert gateway.records()[-1]["message"] == "stopped"


def test_port_that_is_taken_is_one_clear_line_and_status_1(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    for protocol in ("grpc", "http"):
        folder = tmp_path / protocol
        folder.mkdir()
        config = configuration({"otlphttp": {"endpoint": otlp_sink.http_endpoint}}, {"evaluators": {"rudeness": {}}})
        taken = OtlpSink()
        with taken:
            endpoint = taken.grpc_endpoint
            config["receivers"]["otlp"]["protocols"][protocol]["endpoint"] = endpoint
            gateway = Process(config, folder)
            assert gateway.popen.wait(30) == 1
        (line,) = (line for line in gateway.log.read_text().splitlines() if not line.startswith("{"))
        key = f"receivers.otlp.protocols.{protocol}.endpoint"
        number = 1 + next(n for n, text in enumerate(gateway.file.read_text().splitlines()) if endpoint in text)
        where = f"{gateway.file}:{number}"
        assert line == f"otel-agent-eval: {where}: cannot listen on {endpoint}: address already in use; change {key}"


def test_the_log_is_json_and_holds_no_content(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    secrets = ("Xanadu-question", "Xanadu-answer", "Xanadu-header")
    with process(otlp_sink, tmp_path, context_wait="300ms") as gateway:
        sent = answer(f"raise {secrets[1]}", question=secrets[0])
        silent = answer()
        gateway.send(traces(sent))
        gateway.send(traces(silent, scope=OPENAI_SCOPE))
        gateway.send(content_log(silent, secrets[1]), "logs")
        otlp_sink.answer(Answer(http=400, message=secrets[1]), times=1)
        url = f"{gateway.endpoint('http')}/v1/traces"
        httpx.post(url, content=b"{" + secrets[1].encode(), headers={"content-type": "application/json"})
        httpx.post(url, content=secrets[1].encode(), headers={"content-type": "application/x-protobuf"})
        httpx.post(f"{gateway.endpoint('http')}/{secrets[1]}", headers={"authorization": secrets[2]})
        otlp_sink.wait(Signal.TRACES, 1)
        gateway.popen.terminate()
        assert gateway.popen.wait(20) == 0
    assert any(record.get("error_type") == "KeyError" for record in gateway.records())
    (sending,) = (record for record in gateway.records() if record["message"] == "sending")
    assert sending["endpoint"] == otlp_sink.http_endpoint
    assert not any(secret in gateway.log.read_text() for secret in secrets)


CARELESS = """
import asyncio

class Careless:
    def __init__(self, name, settings):
        self.name, self.signals = name, frozenset(["traces"])

    async def export(self, payload):
        asyncio.create_task(self.break_on(payload.body))
        return 0

    async def break_on(self, body):
        raise ValueError(body)

    async def close(self):
        pass
"""


def test_what_a_plug_in_breaks_with_where_nobody_waits_is_logged_without_content(tmp_path: Path) -> None:
    info = tmp_path / "site" / "careless-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: careless\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[otel_agent_eval.exporters]\ncareless = careless_plugin:Careless\n")
    (tmp_path / "site" / "careless_plugin.py").write_text(CARELESS)
    config = configuration({"careless": {}}, {"evaluators": {"rudeness": {}}})
    config["service"]["pipelines"] = {"traces": config["service"]["pipelines"]["traces"]}
    gateway = Process(config, tmp_path)
    try:
        gateway.ready()
        assert gateway.send(traces(answer("Xanadu"))) == 200
        gateway.popen.terminate()
        assert gateway.popen.wait(20) == 0
    finally:
        gateway.end()
    (broke,) = (record for record in gateway.records() if record["level"] == "error")
    assert (broke["exception.type"], broke["at"].split(":")[0]) == ("ValueError", "careless_plugin.py")
    assert "Xanadu" not in gateway.log.read_text()


def test_load_while_it_stops_is_delivered_or_still_with_the_sender(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    acknowledged: list[bytes] = []
    with process(otlp_sink, tmp_path) as gateway:

        def send() -> None:
            while gateway.popen.poll() is None:
                item = answer("Paris.")
                try:
                    if gateway.send(traces(item, span())) == 200:
                        acknowledged.append(item.span_id)
                except httpx.TransportError:
                    return

        senders = [threading.Thread(target=send) for _ in range(4)]
        for sender in senders:
            sender.start()
        time.sleep(1)
        gateway.popen.terminate()
        assert gateway.popen.wait(20) == 0
        for sender in senders:
            sender.join(5)
    assert len(acknowledged) > 20
    assert set(acknowledged) <= {item.span_id for item in otlp_sink.spans()}
