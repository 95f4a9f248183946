"""Answers scored by a running gateway: how many a second, and how long each takes, at several loads.

    python benchmarks/gateway.py [--loads 1 5 10 20 40] [--seconds 8] [--worker thread] [--out results.json]

Traces of an agent (a question, five passages of some 100 tokens, an answer of some 150; all texts differ) are posted
over OTLP/HTTP at random times of the given mean rate, as users ask. Latency runs from the moment a request is due to be
sent until the scored span arrives at a backend behind the gateway. "as fast as it goes" keeps a fixed number of answers
in the gateway; the last load is three times the rate found so. Beside the answers, plain telemetry (100 spans, five
times a second) shows whether scoring holds up what needs no score.
"""

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from statistics import fmean
from threading import Event, Thread
from typing import Any

import machine
from backend import Arrival, Backend, backend
from harness import RunningGateway, configuration, gateway, percentile, print_table, write
from sender import http_sender
from telemetry import Interaction, interactions, last_span_id, plain_request

from otel_agent_eval.models.builtin import load_builtin
from otel_agent_eval.signals import Signal

_IN_FLIGHT = 48
_SENDERS = 16
_FEWEST = 20
_PLAIN_SPANS = 100
_PLAIN_EVERY = 0.2
_OVERLOAD = 3
_PATIENCE = 30.0
"""Seconds until the last span must have arrived: beyond the gateway's own limits."""

Pace = Callable[["Bench"], Iterator[float]]
"""Yields the monotonic time at which each answer is due, when it is due."""


class Bench:
    """A gateway, what stands behind it, and what has come out there; times are monotonic, by span id."""

    def __init__(self, running: RunningGateway, target: Backend) -> None:
        self.pid = running.pid
        self.send = http_sender(running.http_endpoint)
        self.sent: dict[bytes, float] = {}
        self.arrived: dict[bytes, Arrival] = {}
        self._target = target

    @property
    def waiting(self) -> int:
        """Spans that were sent and have not arrived."""
        for arrival in self._target.arrivals():
            if arrival.span_id in self.sent:
                self.arrived[arrival.span_id] = arrival
        return len(self.sent) - len(self.arrived)

    def latencies(self, span_ids: Sequence[bytes]) -> list[float]:
        """Return, for each of these spans, the milliseconds from when it was due until it arrived."""
        return [1000 * (self.arrived[span_id].time - self.sent[span_id]) for span_id in span_ids]


def main() -> None:
    """Parse options, run all loads, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loads", type=float, nargs="*", default=[1, 5, 10, 20, 40], help="answers a second")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each load; low ones take up to twice as long")
    parser.add_argument("--worker", choices=("thread", "process"), default="thread", help="where the models run")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    before = machine.describe()
    source = interactions(seed=1)
    tokens = _token_counts(list(islice(source, 50)))
    answers: list[dict[str, Any]] = []
    plain: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, backend(watch=True) as target:
        exporter = {"otlp/backend": {"endpoint": target.grpc_endpoint, "tls": {"insecure": True}}}
        config = configuration(exporter, {"worker": options.worker}, interval="1h")
        with gateway(config, Path(folder)) as running:
            bench = Bench(running, target)

            def run(load: str, pace: Pace) -> None:
                scored, passed = _run(bench, source, pace)
                answers.append({"load": load, **scored})
                plain.append({"answers' load": load, **passed})

            _run(bench, source, _full(1.0))  # the first answers meet cold caches
            for load in options.loads:
                seconds = min(max(options.seconds, _FEWEST / load), 2 * options.seconds)
                run(f"{load:g}/s", _paced(load, seconds))
            run("as fast as it goes", _full(options.seconds))
            capacity = max(answers[-1]["scored/s"], 1.0)
            run("three times that", _paced(_OVERLOAD * capacity, options.seconds))
    print_table("answers scored", answers)
    print_table("plain telemetry meanwhile", plain)
    write(
        options.out,
        {"worker": options.worker, "tokens": tokens, "answers": answers, "plain": plain},
        {**before, **tokens},
    )


def _paced(rate: float, seconds: float) -> Pace:
    """Gaps are exponential, as between many users who know nothing of each other."""

    def pace(_bench: Bench) -> Iterator[float]:
        rng = random.Random(2)  # noqa: S311 (repeatable, not secret)
        due = started = time.monotonic()
        while (due := due + rng.expovariate(rate)) < started + seconds:
            time.sleep(max(0.0, due - time.monotonic()))
            yield due

    return pace


def _full(seconds: float) -> Pace:
    """Keep a fixed number of answers in the gateway."""

    def pace(bench: Bench) -> Iterator[float]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if bench.waiting < _IN_FLIGHT:
                yield time.monotonic()
            else:
                time.sleep(0.001)

    return pace


def _run(bench: Bench, source: Iterator[Interaction], pace: Pace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Send answers at a pace, and plain telemetry beside; return the rows for both once everything has arrived."""
    answers: list[bytes] = []
    requests: list[Future[None]] = []
    stopping = Event()
    plain: list[bytes] = []
    acknowledged: list[float] = []
    beside = Thread(target=_send_plain, args=(bench, stopping, plain, acknowledged))
    cpu, started = machine.cpu_seconds(bench.pid), time.monotonic()
    beside.start()
    with ThreadPoolExecutor(_SENDERS) as pool:
        try:
            for due in pace(bench):
                interaction = next(source)
                answers.append(interaction.span_id)
                bench.sent[interaction.span_id] = due
                requests.append(pool.submit(bench.send, Signal.TRACES, interaction.body))
            for request in requests:
                request.result()
        finally:
            stopping.set()
            beside.join()
    _wait(bench)
    cpu = machine.cpu_seconds(bench.pid) - cpu
    taken = max(bench.arrived[span_id].time for span_id in answers) - started
    return _answers_row(bench, answers, taken, cpu), _plain_row(bench, plain, acknowledged)


def _send_plain(bench: Bench, stopping: Event, sent: list[bytes], acknowledged: list[float]) -> None:
    seed = len(bench.sent)
    while not stopping.wait(_PLAIN_EVERY):
        seed += 1
        body = plain_request(Signal.TRACES, _PLAIN_SPANS, seed)
        sent.append(last_span_id(body))
        started = bench.sent[sent[-1]] = time.monotonic()
        bench.send(Signal.TRACES, body)
        acknowledged.append(1000 * (time.monotonic() - started))


def _wait(bench: Bench) -> None:
    """Wait until all that was sent has arrived; a `TimeoutError` says how much is missing."""
    deadline = time.monotonic() + _PATIENCE
    while missing := bench.waiting:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{missing} spans have not arrived")
        time.sleep(0.005)


def _answers_row(bench: Bench, span_ids: Sequence[bytes], taken: float, cpu: float) -> dict[str, Any]:
    outcomes = [set(bench.arrived[span_id].outcomes.values()) for span_id in span_ids]
    scored = [span_id for span_id, own in zip(span_ids, outcomes, strict=True) if own == {"scored"}]
    counts = Counter("+".join(sorted(own)) or "none" for own in outcomes)
    latencies = bench.latencies(scored)
    return {
        "sent": len(span_ids),
        "outcomes": ", ".join(f"{name} {count}" for name, count in counts.most_common()),
        "scored/s": len(scored) / taken,
        **{f"p{percent} ms": percentile(latencies, percent) for percent in (50, 95, 99)},
        "CPU ms each": 1000 * cpu / max(len(scored), 1),
    }


def _plain_row(bench: Bench, span_ids: Sequence[bytes], acknowledged: Sequence[float]) -> dict[str, Any]:
    percents = (50, 95, 100)
    arrived = bench.latencies(span_ids)
    return {
        "requests": len(span_ids),
        **{f"acknowledged p{percent} ms": percentile(acknowledged, percent) for percent in percents},
        **{f"arrived p{percent} ms": percentile(arrived, percent) for percent in percents},
    }


def _token_counts(sample: Sequence[Interaction]) -> Mapping[str, float]:
    """Say how long the texts are, in tokens of the built-in model."""
    tokenizer = load_builtin("toxicity", threads=1).tokenizer

    def mean(texts: Sequence[str]) -> float:
        return round(fmean(map(len, tokenizer.encode(texts))), 1)

    return {
        "tokens of a question": mean([interaction.question for interaction in sample]),
        "of a passage": mean([passage for interaction in sample for passage in interaction.passages]),
        "of an answer": mean([interaction.answer for interaction in sample]),
    }


if __name__ == "__main__":
    main()
