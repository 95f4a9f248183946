"""With its queue on disk the gateway delivers everything it has acknowledged, whatever happens to the process."""

import asyncio
import json
import os
import stat
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from durable import kill, on_disk
from live_gateway import arrived, running
from live_process import Process
from service_samples import OPENAI_SCOPE, answer, content_log, gauge, own, span, traces
from support.gateway import configuration
from support.otlp_sink import UNAVAILABLE, Answer, OtlpSink
from support.processes import wait_until

from otel_agent_eval.journal import Folder
from otel_agent_eval.signals import Signal


async def test_what_a_dead_process_had_acknowledged_is_judged_and_delivered_by_the_next(
    otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    otlp_sink.answer(UNAVAILABLE)
    held, plain, log, point = answer("You are rude"), span(), content_log(span(), "Paris."), gauge()
    async with running(otlp_sink, change=on_disk(tmp_path)) as live:
        for request in (traces(held, plain), traces(span()), log, point):
            assert (await live.send(request)).status_code == 200
        await kill(live)
    otlp_sink.answer(Answer())
    async with running(otlp_sink, change=on_disk(tmp_path)):
        await arrived(otlp_sink, Signal.TRACES, 3)
        await arrived(otlp_sink, Signal.LOGS, 2)
        await arrived(otlp_sink, Signal.METRICS, 1)
    got = {item.span_id: own(item) for item in otlp_sink.spans()}
    assert got[held.span_id]["agent_eval.label"] == "fail"
    assert plain.span_id in got
    assert [record.event_name for record in otlp_sink.logs()].count("gen_ai.evaluation.result") == 1


@pytest.mark.parametrize("change", ["to side mode", "to no scoring"])
async def test_what_was_held_leaves_once_though_the_configuration_has_changed(
    otlp_sink: OtlpSink, tmp_path: Path, change: str
) -> None:
    def changed(config: dict[str, Any]) -> None:
        on_disk(tmp_path)(config)
        if change == "to no scoring":
            for pipeline in config["service"]["pipelines"].values():
                pipeline.pop("processors", None)

    item = answer("sleep 2 rude")
    async with running(otlp_sink, change=on_disk(tmp_path)) as live:
        await live.send(traces(item))
        await kill(live)
    with OtlpSink() as next_sink:
        async with running(next_sink, mode="side" if change == "to side mode" else "annotate", change=changed):
            await arrived(next_sink, Signal.TRACES, 1)
        assert [each.span_id for each in next_sink.spans()] == [item.span_id]


async def test_side_mode_loses_no_score_and_sends_nothing_twice(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    request = traces(answer("sleep 1 rude"))
    async with running(otlp_sink, mode="side", change=on_disk(tmp_path)) as live:
        await live.send(request)
        await arrived(otlp_sink, Signal.TRACES, 1)
        await kill(live, "otlphttp/0")
    before = len(otlp_sink.logs())
    async with running(otlp_sink, mode="side", change=on_disk(tmp_path)):
        await arrived(otlp_sink, Signal.LOGS, before + 1)
    assert len(otlp_sink.spans()) == 1


@pytest.mark.parametrize("mode", ["annotate", "side"])
async def test_of_a_request_taken_apart_only_what_was_not_judged_is_judged_and_sent_again(
    otlp_sink: OtlpSink, tmp_path: Path, mode: str
) -> None:
    judged, plain = answer("You are rude"), span()
    waits = answer("Paris.", parent_span_id=b"2" * 8)  # for its parent
    unknown = b"\xfa\x3e\x03abc"  # field 1007
    waits.MergeFromString(unknown)
    async with running(otlp_sink, mode=mode, context_wait="60s", change=on_disk(tmp_path)) as live:
        await live.send(traces(plain, waits, judged))
        await arrived(otlp_sink, Signal.LOGS, 1)
        await arrived(otlp_sink, Signal.TRACES, 3 if mode == "side" else 2)
        await kill(live, "otlphttp/0")
        before = Counter(item.span_id for item in otlp_sink.spans())
    assert before == Counter([plain.span_id, judged.span_id] + ([waits.span_id] if mode == "side" else []))
    with OtlpSink() as next_sink:
        async with running(next_sink, mode=mode, context_wait="1s", change=on_disk(tmp_path)) as live:
            await arrived(next_sink, Signal.LOGS, 1)
            if mode == "annotate":
                await arrived(next_sink, Signal.TRACES, 1)
            assert await live.metric("agent_eval_evaluations_total") == 1
        assert [event.span_id for event in next_sink.logs()] == [waits.span_id]
        assert [item.span_id for item in next_sink.spans()] == ([waits.span_id] if mode == "annotate" else [])
        assert all(unknown in item.SerializeToString() for item in next_sink.spans())


async def test_what_was_forwarded_of_a_request_is_not_forwarded_again_though_nobody_judges_any_more(
    otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    def unjudged(config: dict[str, Any]) -> None:
        on_disk(tmp_path)(config)
        for pipeline in config["service"]["pipelines"].values():
            pipeline.pop("processors", None)

    slow = answer("sleep 2 Paris.")
    async with running(otlp_sink, change=on_disk(tmp_path)) as live:
        await live.send(traces(span(), slow, span()))
        await arrived(otlp_sink, Signal.TRACES, 2)
        await kill(live, "otlphttp/0")
    with OtlpSink() as next_sink:
        async with running(next_sink, change=unjudged):
            await arrived(next_sink, Signal.TRACES, 1)
        assert [item.span_id for item in next_sink.spans()] == [slow.span_id]


async def test_content_and_documents_that_came_before_the_restart_are_known_after_it(
    otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    item = answer()
    async with running(otlp_sink, context_wait="30s", change=on_disk(tmp_path)) as live:
        await live.send(content_log(item, "You are rude"))
        await arrived(otlp_sink, Signal.LOGS, 1)
        await kill(live, "otlphttp/0")
    async with running(otlp_sink, context_wait="30s", change=on_disk(tmp_path)) as live:
        await live.send(traces(item, scope=OPENAI_SCOPE))
        await arrived(otlp_sink, Signal.TRACES, 1)
    assert own(otlp_sink.spans()[0])["agent_eval.label"] == "fail"
    assert len([record for record in otlp_sink.logs() if not record.event_name.endswith("result")]) == 1


async def test_answer_sent_again_after_a_restart_has_its_scores_again(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    request = traces(answer("You are rude"))
    for _ in range(2):
        async with running(otlp_sink, change=on_disk(tmp_path)) as live:
            before = len(otlp_sink.spans())
            assert (await live.send(request)).status_code == 200
            await arrived(otlp_sink, Signal.TRACES, before + 1)
            await kill(live, "otlphttp/0")
    labels = [own(item)["agent_eval.label"] for item in otlp_sink.spans()]
    assert labels == ["fail"] * len(labels)


async def test_healthy_destination_gets_nothing_twice_because_another_is_dead(
    otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    sent = [span() for _ in range(30)]
    with OtlpSink() as dead:
        dead.answer(UNAVAILABLE)
        async with running(otlp_sink, dead, change=on_disk(tmp_path)) as live:
            for each in sent:
                await live.send(traces(each))
            await arrived(otlp_sink, Signal.TRACES, 30)
            await kill(live, "otlphttp/0")
        dead.answer(Answer())
        async with running(otlp_sink, dead, change=on_disk(tmp_path)):
            await arrived(dead, Signal.TRACES, 30)
        assert {item.span_id for item in dead.spans()} == {each.span_id for each in sent}
    assert Counter(item.span_id for item in otlp_sink.spans()) == Counter(each.span_id for each in sent)


async def test_what_a_stop_leaves_is_sent_after_the_next_start(
    otlp_sink: OtlpSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("otel_agent_eval.service.gateway._DELIVER_SECONDS", 0.1)
    otlp_sink.answer(UNAVAILABLE)
    async with running(otlp_sink, change=on_disk(tmp_path)) as live:
        await live.send(traces(span(), answer("Paris.")))
    assert "stay in the queue" in caplog.text
    otlp_sink.answer(Answer())
    async with running(otlp_sink, change=on_disk(tmp_path)):
        await arrived(otlp_sink, Signal.TRACES, 2)
    assert not files(tmp_path, "*.segment")


async def test_what_a_destination_rejects_is_parked_listed_and_sent_again(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    otlp_sink.answer(Answer(http=400), times=1)
    rejected = span()
    async with running(otlp_sink, change=on_disk(tmp_path)) as live:
        await live.send(traces(rejected))
        (letter,) = await parked(tmp_path)
        assert stat.S_IMODE(letter.stat().st_mode) == 0o600
        await live.send(traces(span()))
        await arrived(otlp_sink, Signal.TRACES, 1)
        assert await live.metric("agent_eval_gateway_dead_letters") == 1
        assert await live.metric("agent_eval_gateway_dropped_total", agent_eval_drop="rejected") == 1
        back = tmp_path / "resend" / letter.parent.name
        back.mkdir(parents=True)
        letter.rename(back / letter.name)
        await arrived(otlp_sink, Signal.TRACES, 2)
    assert rejected.span_id in {item.span_id for item in otlp_sink.spans()}
    assert not list(back.iterdir())


def ids(sink: OtlpSink) -> set[bytes]:
    return {item.span_id for item in sink.spans()}


def files(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern))


async def parked(folder: Path) -> list[Path]:
    async with asyncio.timeout(30):
        while not (found := files(folder, "dead/*/*.letter")):  # noqa: ASYNC110 (the disk is looked at)
            await asyncio.sleep(0.02)
    return found


async def test_request_that_is_too_large_arrives_in_parts(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    otlp_sink.answer(Answer(http=413), times=3)
    sent = [span() for _ in range(9)]
    async with running(otlp_sink, change=on_disk(tmp_path)) as live:
        await live.send(traces(*sent))
        await arrived(otlp_sink, Signal.TRACES, 9)
    assert sorted(item.span_id for item in otlp_sink.spans()) == sorted(each.span_id for each in sent)
    assert len(otlp_sink.accepted(Signal.TRACES)) > 1
    assert not files(tmp_path, "dead/*/*")


async def test_full_queue_is_answered_retryably_and_drop_oldest_never_refuses(
    otlp_sink: OtlpSink, tmp_path: Path
) -> None:
    big = span(attributes={"payload": "x" * 200_000})

    def dropping(config: dict[str, Any]) -> None:
        on_disk(tmp_path / "dropping", size="1MiB")(config)
        config["exporters"]["otlphttp/0"]["sending_queue"] = {"on_full": "drop_oldest"}

    otlp_sink.answer(UNAVAILABLE)
    async with running(otlp_sink, change=on_disk(tmp_path / "refusing", size="1MiB")) as live:
        answers = [await live.send(traces(big)) for _ in range(8)]
        assert {answer.status_code for answer in answers} == {200, 503}
        assert answers[-1].headers["retry-after"] == "1"
        taken = [answer.status_code for answer in answers].count(200)
        otlp_sink.answer(Answer())
        await arrived(otlp_sink, Signal.TRACES, taken)
    otlp_sink.answer(UNAVAILABLE)
    async with running(otlp_sink, change=dropping) as live:
        assert {(await live.send(traces(big))).status_code for _ in range(20)} == {200}
        assert await live.metric("agent_eval_gateway_dropped_total", agent_eval_drop="journal_full") > 0
        otlp_sink.answer(Answer())


def test_process_that_is_killed_again_and_again_loses_nothing(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    exporter = {"endpoint": otlp_sink.http_endpoint, "retry_on_failure": {"initial_interval": "100ms"}}
    config = configuration({"otlphttp": exporter}, {"evaluators": {"rudeness": {}}})
    on_disk(tmp_path / "queue")(config)
    acknowledged: set[bytes] = set()

    def send(gateway: Process) -> None:
        while True:
            items = [answer("Paris."), span()]
            try:
                if gateway.send(traces(*items)) == 200:
                    acknowledged.update(item.span_id for item in items)
            except httpx.TransportError:  # it is dead
                return

    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        otlp_sink.answer(UNAVAILABLE, times=number * 3)
        gateway = Process(config, folder)
        gateway.ready()
        senders = [threading.Thread(target=send, args=(gateway,)) for _ in range(3)]
        for sender in senders:
            sender.start()
        before = len(acknowledged)
        wait_until(lambda before=before: len(acknowledged) > before + 10, 30, "load")
        gateway.popen.kill()
        for sender in senders:
            sender.join(10)
        gateway.end()
    folder = tmp_path / "last"
    folder.mkdir()
    gateway = Process(config, folder)
    try:
        gateway.ready()
        otlp_sink.wait_until(lambda: acknowledged <= ids(otlp_sink), 60, lambda: f"{len(ids(otlp_sink))} spans")
    finally:
        gateway.end()


def test_queue_of_another_process_is_one_clear_line_and_status_1(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    config = configuration({"otlphttp": {"endpoint": otlp_sink.http_endpoint}}, {"evaluators": {"rudeness": {}}})
    on_disk(tmp_path / "queue")(config)
    with Folder(tmp_path / "queue"):
        gateway = Process(config, tmp_path)
        try:
            assert gateway.popen.wait(60) == 1
        finally:
            gateway.end()
    (line,) = (line for line in gateway.log.read_text().splitlines() if not line.startswith("{"))
    assert line.startswith(f"otel-agent-eval: the queue {tmp_path / 'queue'} is in use by process {os.getpid()}")


async def test_done_lists_name_readers_and_no_content(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    with OtlpSink() as dead:
        dead.answer(UNAVAILABLE)
        async with running(otlp_sink, dead, change=on_disk(tmp_path)) as live:
            await live.send(traces(span("Xanadu")))
            await arrived(otlp_sink, Signal.TRACES, 1)
            await asyncio.sleep(0.3)
            (done,) = files(tmp_path, "*.done")
            lines = [json.loads(line) for line in done.read_text().split()]
            dead.answer(Answer())
    assert {line["for"] for line in lines} <= {"otlphttp/0", "agent_eval"}
