"""A new configuration takes effect while requests pass, as a whole or not at all, and costs none of them."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import yaml
from live_gateway import Live, arrived, running
from live_process import Process
from service_samples import answer, any_value, attributes_of, own, span, traces
from support.gateway import configuration
from support.otlp_sink import UNAVAILABLE, Answer, OtlpSink
from support.processes import free_port, wait_until

from otel_agent_eval.config.load import loads
from otel_agent_eval.receivers import ListenError
from otel_agent_eval.service.reload import ReloadError
from otel_agent_eval.signals import Signal

Change = Callable[[dict[str, Any]], None]
QUICK = {"initial_interval": "100ms", "max_interval": "200ms"}


async def reload(live: Live, change: Change) -> None:
    """Change the configuration of a gateway in this process."""
    change(live.config)
    await live.gateway.reload(loads(yaml.safe_dump(live.config), "test", {}).config)


def threshold(value: float) -> Change:
    def change(config: dict[str, Any]) -> None:
        config["processors"]["agent_eval"]["evaluators"]["rudeness"] = {"threshold": value}

    return change


@contextmanager
def process(sink: OtlpSink, folder: Path) -> Iterator[Process]:
    config = configuration(
        {"otlphttp": {"endpoint": sink.http_endpoint, "retry_on_failure": QUICK}}, {"evaluators": {"rudeness": {}}}
    )
    config["service"]["queue"] = {"path": str(folder / "queue")}
    made = Process(config, folder)
    try:
        made.ready()
        yield made
    finally:
        made.end()


def hang_up(gateway: Process, change: Change, message: str) -> dict[str, Any]:
    """Write a changed configuration, have it read, and return what the log then says."""
    before = len(said(gateway, message))
    change(gateway.config)
    gateway.file.write_text(yaml.safe_dump(gateway.config))
    gateway.popen.send_signal(signal.SIGHUP)
    wait_until(lambda: len(said(gateway, message)) > before, 30, message)
    return said(gateway, message)[-1]


def said(gateway: Process, message: str) -> list[dict[str, Any]]:
    return [record for record in gateway.records() if record["message"] == message]


RELOADED = "the configuration was reloaded"
REFUSED = "the new configuration cannot be used; the old one goes on"


class Senders:
    """Threads that send spans and answers until stopped, and note what was acknowledged and what was not.

    One sends over gRPC, one over an HTTP connection that stays, one over a new one for each request.
    """

    def __init__(self, gateway: Process) -> None:
        self.acknowledged: set[bytes] = set()
        self.refused: list[object] = []
        self._gateway = gateway
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=send) for send in (self._http, self._http_anew, self._grpc)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _batches(self) -> Iterator[tuple[list[bytes], bytes]]:
        while not self._stop.wait(0.005):
            spans = [answer("You are rude"), answer("Paris."), span(), span()]
            yield [item.span_id for item in spans], traces(*spans).SerializeToString()

    def _note(self, ids: list[bytes], outcome: object) -> None:
        if outcome == 200:
            self.acknowledged.update(ids)
        else:
            self.refused.append(outcome)

    def _http(self) -> None:
        with httpx.Client(timeout=30) as client:
            for ids, body in self._batches():
                self._note(ids, self._post(client, body))

    def _http_anew(self) -> None:
        for ids, body in self._batches():
            with httpx.Client(timeout=30) as client:
                self._note(ids, self._post(client, body))

    def _post(self, client: httpx.Client, body: bytes) -> object:
        headers = {"content-type": "application/x-protobuf"}
        try:
            return client.post(f"{self._gateway.endpoint('http')}/v1/traces", content=body, headers=headers).status_code
        except httpx.TransportError as error:
            return error

    def _grpc(self) -> None:
        with grpc.insecure_channel(self._gateway.endpoint("grpc").removeprefix("http://")) as channel:
            export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export", None, None)
            for ids, body in self._batches():
                try:
                    export(body, timeout=30)
                except grpc.RpcError as error:
                    self._note(ids, error)
                else:
                    self._note(ids, 200)


def test_under_load_every_acknowledged_span_arrives_once_and_none_is_refused(
    otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    def other_destination_settings(config: dict[str, Any]) -> None:
        exporter = config["exporters"]["otlphttp"]
        exporter["compression"] = "none" if exporter.get("compression", "gzip") == "gzip" else "gzip"

    def other_models(config: dict[str, Any]) -> None:
        config["processors"]["agent_eval"]["evaluators"]["documents"] = {}

    def another_destination(config: dict[str, Any]) -> None:
        config["exporters"]["console"] = {}
        config["service"]["pipelines"]["logs"]["exporters"] = ["otlphttp", "console"]

    with process(otlp_sink, tmp_path) as gateway:
        senders = Senders(gateway)
        try:
            for change in (threshold(0.95), other_destination_settings, other_models, another_destination,
                           threshold(0.1), other_destination_settings):  # fmt: skip
                hang_up(gateway, change, RELOADED)
        finally:
            senders.stop()
        assert senders.refused == []
        assert len(senders.acknowledged) > 100
        gateway.popen.terminate()
        assert gateway.popen.wait(30) == 0
    sent = [item.span_id for item in otlp_sink.spans()]
    assert set(sent) == senders.acknowledged
    assert len(sent) == len(senders.acknowledged)
    assert "Traceback" not in gateway.log.read_text()
    labels = {own(item).get("agent_eval.rudeness.outcome") for item in otlp_sink.spans() if "gen_ai" in str(item)}
    assert "scored" in labels
    assert labels <= {"scored", "skipped"}  # the machine may be slower than the senders


def test_a_stop_in_the_middle_of_a_reload_ends_cleanly_with_everything_sent(
    otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    with process(otlp_sink, tmp_path) as gateway:
        slow = answer("sleep 2 rude")
        assert gateway.send(traces(slow)) == 200
        gateway.config["processors"]["agent_eval"]["evaluators"] = {"documents": {}}
        gateway.file.write_text(yaml.safe_dump(gateway.config))
        gateway.popen.send_signal(signal.SIGHUP)
        gateway.popen.terminate()
        assert gateway.popen.wait(30) == 0
    assert [item.span_id for item in otlp_sink.spans()] == [slow.span_id]
    assert own(otlp_sink.spans()[0])["agent_eval.label"] == "fail"
    assert "Traceback" not in gateway.log.read_text()


def test_a_wrong_configuration_is_told_in_one_line_and_the_old_one_goes_on(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    def mistake(config: dict[str, Any]) -> None:
        config["processors"]["agent_eval"]["evaluators"]["rudeness"] = {"threshold": 7}

    with process(otlp_sink, tmp_path) as gateway:
        record = hang_up(gateway, mistake, REFUSED)
        assert record["level"] == "error"
        assert record["problem"].startswith(f"{gateway.file}:")
        assert "processors.agent_eval.evaluators.rudeness.threshold" in record["problem"]
        assert gateway.send(traces(answer("You are rude"))) == 200
        otlp_sink.wait(Signal.TRACES, 1)
        assert gateway.page("readyz") == 200
        assert gateway.shown() == (record["problem"], 1)
        hang_up(gateway, threshold(0.95), RELOADED)
        assert gateway.shown() == ("", 0)
    assert own(otlp_sink.spans()[0])["agent_eval.label"] == "fail"


def test_what_needs_a_restart_is_named_and_nothing_of_that_configuration_takes_effect(
    otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    def elsewhere(config: dict[str, Any]) -> None:
        config["service"]["queue"]["path"] = str(tmp_path / "other")
        threshold(0.95)(config)

    with process(otlp_sink, tmp_path) as gateway:
        record = hang_up(gateway, elsewhere, REFUSED)
        assert record["problem"].startswith(f"{where(gateway, 'path: ')}: service.queue.path cannot change while the")
        gateway.send(traces(answer("You are rude")))
        otlp_sink.wait(Signal.TRACES, 1)
    assert own(otlp_sink.spans()[0])["agent_eval.label"] == "fail"


def test_what_cannot_be_used_is_named_with_file_line_and_key(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    def taken(config: dict[str, Any]) -> None:
        config["receivers"]["otlp"]["protocols"]["http"]["endpoint"] = address

    def no_model(config: dict[str, Any]) -> None:
        config["processors"]["agent_eval"]["evaluators"] = {"toxicity": {"model": str(tmp_path / "nowhere")}}

    with process(otlp_sink, tmp_path) as gateway, OtlpSink() as other:
        address = other.http_endpoint.removeprefix("http://")
        problem = hang_up(gateway, taken, REFUSED)["problem"]
        assert problem.startswith(f"{where(gateway, f'endpoint: {address}')}: cannot listen on {address}")
        assert problem.endswith("change receivers.otlp.protocols.http.endpoint")
        problem = hang_up(gateway, no_model, REFUSED)["problem"]
        key = "processors.agent_eval.evaluators.toxicity.model"
        assert problem == (
            f"{where(gateway, 'model: ')}: {key}: cannot read {str(tmp_path / 'nowhere')!r}: No such file or directory"
        )


def where(gateway: Process, text: str) -> str:
    """Return file and line of a text in a gateway's configuration."""
    lines = gateway.file.read_text().splitlines()
    return f"{gateway.file}:{1 + next(number for number, line in enumerate(lines) if text in line)}"


async def test_the_next_verdict_goes_by_the_new_threshold(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink) as live:
        await live.send(traces(answer("You are rude")))
        await arrived(otlp_sink, Signal.TRACES, 1)
        await reload(live, threshold(0.95))
        await live.send(traces(answer("You are rude")))
        await arrived(otlp_sink, Signal.TRACES, 2)
    assert [own(item)["agent_eval.label"] for item in otlp_sink.spans()] == ["fail", "pass"]
    assert own(otlp_sink.spans()[1])["agent_eval.rudeness.threshold"] == 0.95


async def test_spans_that_wait_are_judged_after_the_change_with_what_came_before_it(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink, evaluators={"rudeness": {}, "documents": {}}, context_wait="30s") as live:
        parent = span("agent", {"gen_ai.operation.name": "invoke_agent"})
        documents = any_value([{"id": "1", "content": "Paris is the capital of France."}])
        retrieved = span("retrieve", {"gen_ai.operation.name": "retrieval"}, trace_id=parent.trace_id,
                         parent_span_id=parent.span_id)  # fmt: skip
        retrieved.attributes.add(key="gen_ai.retrieval.documents", value=documents)
        child = answer("Paris.", trace_id=parent.trace_id, parent_span_id=parent.span_id)
        child.start_time_unix_nano = retrieved.end_time_unix_nano + 1
        child.end_time_unix_nano = child.start_time_unix_nano + 1000
        await live.send(traces(retrieved))
        await live.send(traces(child))
        await reload(live, threshold(0.95))
        await live.send(traces(parent))
        await arrived(otlp_sink, Signal.TRACES, 3)
    judged = next(item for item in otlp_sink.spans() if item.span_id == child.span_id)
    assert own(judged)["agent_eval.documents.score"] == pytest.approx(0.1)


async def test_an_answer_in_work_is_finished_by_the_models_of_before(otlp_sink: OtlpSink) -> None:
    def other_models(config: dict[str, Any]) -> None:
        config["processors"]["agent_eval"]["evaluators"] = {"documents": {}}

    async with running(otlp_sink) as live:
        sending = asyncio.create_task(live.send(traces(answer("sleep 1 rude"))))
        while await live.metric("agent_eval_gateway_held", agent_eval_lack="scores") == 0:  # noqa: ASYNC110 (what is waited for is seen from outside)
            await asyncio.sleep(0.02)
        await reload(live, other_models)
        await live.send(traces(answer("You are rude")))
        await sending
        await arrived(otlp_sink, Signal.TRACES, 2)
    names = [sorted(name.split(".")[1] for name in own(item) if name.endswith("outcome")) for item in otlp_sink.spans()]
    assert sorted(names) == [["documents"], ["rudeness"]]


async def test_spans_that_wait_for_scores_go_to_the_destinations_of_when_they_leave(tmp_path: Path) -> None:
    held = answer("sleep 1 rude")
    with OtlpSink() as stays, OtlpSink() as goes, OtlpSink() as comes:

        def on_disk(config: dict[str, Any]) -> None:
            config["service"]["queue"] = {"path": str(tmp_path / "queue")}

        def replaced(config: dict[str, Any]) -> None:
            del config["exporters"]["otlphttp/1"]
            config["exporters"]["otlphttp/2"] = {"endpoint": comes.http_endpoint}
            for pipeline in config["service"]["pipelines"].values():
                pipeline["exporters"] = ["otlphttp/0", "otlphttp/2"]

        async with running(stays, goes, change=on_disk) as live:
            await live.send(traces(held))
            await reload(live, replaced)
            for sink in (stays, comes):
                await arrived(sink, Signal.TRACES, 1)
                await arrived(sink, Signal.LOGS, 1)
        assert not goes.spans()
        assert not goes.logs()


async def test_spans_that_have_nowhere_to_go_any_more_are_told(
    otlp_sink: OtlpSink, caplog: pytest.LogCaptureFixture
) -> None:
    def without_traces(config: dict[str, Any]) -> None:
        del config["service"]["pipelines"]["traces"]

    async with running(otlp_sink) as live:
        await live.send(traces(answer("sleep 1 Paris.")))
        await reload(live, without_traces)
    assert not otlp_sink.spans()
    (told,) = [record for record in caplog.records if "goes nowhere" in record.message]
    assert (vars(told)["signal"], vars(told)["items"]) == ("traces", 1)


async def test_a_removed_destination_keeps_what_waits_until_it_comes_back(tmp_path: Path) -> None:
    with OtlpSink() as dead, OtlpSink() as other:
        dead.answer(UNAVAILABLE)

        def on_disk(config: dict[str, Any]) -> None:
            config["service"]["queue"] = {"path": str(tmp_path / "queue")}

        async with running(dead, other, change=on_disk) as live:
            pipelines = live.config["service"]["pipelines"]
            for _ in range(5):
                await live.send(traces(span()))
            await arrived(other, Signal.TRACES, 5)
            for pipeline in pipelines.values():
                pipeline["exporters"] = ["otlphttp/1"]
            await reload(live, lambda _: None)
            await live.send(traces(span()))
            await arrived(other, Signal.TRACES, 6)
            assert await live.metric("agent_eval_gateway_queued", agent_eval_destination="otlphttp/0") >= 5
            dead.answer(Answer())
            await reload(live, lambda _: pipelines["traces"].update(exporters=["otlphttp/0", "otlphttp/1"]))
            await arrived(dead, Signal.TRACES, 5)
            await live.send(traces(span()))
            await arrived(dead, Signal.TRACES, 6)
            await arrived(other, Signal.TRACES, 7)
            assert len({item.span_id for item in dead.spans()}) == 6


async def test_a_receiver_moves_and_a_pipeline_comes(otlp_sink: OtlpSink) -> None:
    def without_metrics(config: dict[str, Any]) -> None:
        del config["service"]["pipelines"]["metrics"]

    port = free_port()

    def move(config: dict[str, Any]) -> None:
        config["receivers"]["otlp"]["protocols"]["http"]["endpoint"] = f"127.0.0.1:{port}"
        config["service"]["pipelines"]["metrics"] = {"receivers": ["otlp"], "exporters": ["otlphttp/0"]}

    async with running(otlp_sink, change=without_metrics) as live:
        assert (await live.post(b"", "metrics")).status_code == 404
        before = live.http
        await reload(live, move)
        live.http = f"http://127.0.0.1:{port}"
        assert (await live.send(traces(span()))).status_code == 200
        assert (await live.post(b"", "metrics")).status_code == 200
        with pytest.raises(httpx.ConnectError):
            await live.client.get(before)
        await arrived(otlp_sink, Signal.TRACES, 1)


async def test_an_address_that_is_taken_leaves_everything_as_it_was(otlp_sink: OtlpSink) -> None:
    def move(config: dict[str, Any]) -> None:
        config["receivers"]["otlp"]["protocols"]["http"]["endpoint"] = other.http_endpoint.removeprefix("http://")
        threshold(0.95)(config)

    async with running(otlp_sink) as live:
        with (
            OtlpSink() as other,
            pytest.raises(ListenError, match=r"change receivers\.otlp\.protocols\.http\.endpoint"),
        ):
            await reload(live, move)
        assert (await live.send(traces(answer("You are rude")))).status_code == 200
        await arrived(otlp_sink, Signal.TRACES, 1)
    assert own(otlp_sink.spans()[0])["agent_eval.label"] == "fail"


async def test_scoring_can_be_taken_out_and_put_back(otlp_sink: OtlpSink) -> None:
    def out(config: dict[str, Any]) -> None:
        for pipeline in config["service"]["pipelines"].values():
            pipeline["processors"] = []

    def back(config: dict[str, Any]) -> None:
        for name in ("traces", "logs"):
            config["service"]["pipelines"][name]["processors"] = ["agent_eval"]

    async with running(otlp_sink, context_wait="30s") as live:
        held, plain, again = (answer("You are rude", parent_span_id=b"elsewher") for _ in range(3))
        await live.send(traces(held))
        await reload(live, out)
        await live.send(traces(plain))
        await arrived(otlp_sink, Signal.TRACES, 2)
        await reload(live, back)
        await live.send(traces(again))
    labels = {item.span_id: attributes_of(item).get("agent_eval.label") for item in otlp_sink.spans()}
    assert labels == {held.span_id: "fail", plain.span_id: None, again.span_id: "fail"}


async def test_last_failures_outlive_a_change_of_thresholds_and_counts_begin_anew(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink) as live:
        await live.send(traces(answer("You are rude")))
        await arrived(otlp_sink, Signal.TRACES, 1)
        failed_at = await live.metric("agent_eval_last_failure_timestamp_seconds")
        await reload(live, threshold(0.95))
        assert await live.metric("agent_eval_last_failure_timestamp_seconds") == failed_at > 0
        assert await live.metric("agent_eval_evaluations_total") == 0
        assert await live.metric("agent_eval_gateway_received_total") == 1
        await reload(live, lambda config: config["processors"]["agent_eval"].update(context_wait="1s"))
        await live.send(traces(answer("You are rude")))
        await arrived(otlp_sink, Signal.TRACES, 2)
        assert await live.metric("agent_eval_evaluations_total") == 1


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda c: c["service"]["queue"].update(storage="disk", path="/nowhere"), "service.queue.path"),
        (lambda c: c["service"]["telemetry"]["metrics"].update(address="127.0.0.1:1"), "telemetry.metrics.address"),
        (lambda c: c["processors"]["memory_limiter"].update(limit_mib=5_000), "processors.memory_limiter"),
        (lambda c: c["receivers"]["otlp"].update(metadata_keys=["x-tenant"]), "receivers.otlp.metadata_keys"),
        (
            lambda c: c["receivers"]["otlp"]["protocols"]["grpc"].update(max_recv_msg_size_mib=5),
            "max_recv_msg_size_mib",
        ),
    ],
)
async def test_what_is_read_only_at_start_is_refused(otlp_sink: OtlpSink, change: Change, key: str) -> None:
    def limited(config: dict[str, Any]) -> None:
        config["processors"]["memory_limiter"] = {"limit_mib": 4_000}
        config["service"]["pipelines"]["traces"]["processors"].insert(0, "memory_limiter")

    async with running(otlp_sink, change=limited) as live:
        with pytest.raises(ReloadError, match=key):
            await reload(live, change)
