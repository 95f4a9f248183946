"""What the benchmark of faults rests on: it damages what it says, and would see a loss."""

import asyncio
import sys
from pathlib import Path

import httpx
from support.otlp_sink import Answer, OtlpSink

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from fault_bench import Bench, arrivals, spans_of
from fault_rows import _damage
from telemetry import plain_request

from otel_agent_eval.journal import Folder, Journal, Limits, ReaderLimits
from otel_agent_eval.journal.record import Stored, read
from otel_agent_eval.signals import Payload, Signal


def test_damage_costs_the_spans_that_it_names_and_no_others(tmp_path: Path) -> None:
    bodies = [plain_request(Signal.TRACES, 5, seed) for seed in range(4)]

    async def fill() -> None:
        journal = Journal(Limits(readers={"a": ReaderLimits()}), Folder(tmp_path))
        await journal.start()
        for body in bodies:
            await journal.append(Payload(Signal.TRACES, body, 5), ["a"])
        await journal.stop()

    asyncio.run(fill())
    (segment,) = tmp_path.glob("*.segment")
    damaged = _damage(segment)
    with segment.open("rb") as file:
        parts = list(read(file, 0, segment.stat().st_size))
    left = {span for part in parts if isinstance(part, Stored) for span in spans_of(part.record.payload.body)}
    assert len(damaged) == 5
    assert left == {span for body in bodies for span in spans_of(body)} - damaged


def test_what_did_not_arrive_everywhere_is_lost_and_what_came_twice_is_duplicated(tmp_path: Path) -> None:
    bench = Bench(tmp_path, backends=2)
    body = plain_request(Signal.TRACES, 3, seed=1)
    bench.acknowledged.update(spans_of(body))
    first, second = bench.backends
    with bench._stack:
        for _ in range(2):
            _post(first, body)
        assert bench.lost() == set(spans_of(body))
        second.answer(Answer(http=503), times=1)
        _post(second, body)
        assert bench.lost() == set(spans_of(body))
        _post(second, body)
        assert not bench.lost()
        assert bench.duplicated() == 3
        assert set(arrivals(first).values()) == {2}


def _post(backend: OtlpSink, body: bytes) -> None:
    httpx.post(f"{backend.http_endpoint}/v1/traces", content=body, headers={"content-type": "application/x-protobuf"})
