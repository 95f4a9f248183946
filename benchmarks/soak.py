"""Hours of ordinary traffic: what was sent arrives, and the gateway's memory, disk and open files stay as they are.

    python benchmarks/soak.py [--minutes 10] [--warm-up 3] [--requests 10] [--answers 1] [--out results.json]

A gateway with its queue on disk and the built-in models gets, at an even rate, requests of plain spans and of log
records, and traces of an agent whose answers it scores. The warm-up sends as fast as it goes, so that what the gateway
remembers for a while (verdicts, parents of spans, windows of tokens) has reached its bounds; what is measured comes
after it. The slope is that of a straight line through the resident memory, in MB an hour, with the interval in which it
lies in 95 of 100 runs: means over a twentieth of the time each are taken as independent.
"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import machine
from backend import Backend, backend
from harness import RunningGateway, configuration, gateway, print_table, write
from sender import Send, http_sender
from telemetry import interactions, plain_request

from otel_agent_eval.signals import Signal

_SPANS, _LOGS = 100, 50  # of a request
_AGENT_SPANS = 3
_SAMPLE_SECONDS = 2.0
_BLOCKS = 20
_QUANTILE = 2.10  # of Student's distribution with 18 degrees of freedom, both sides together 5 per cent
_PATIENCE = 60.0
_MOST_MINUTES = 24 * 60.0


class Sample(NamedTuple):
    """What the gateway held at a moment: seconds since the start of the measurement, MB, MB on disk, open files."""

    seconds: float
    rss: float
    disk: float
    files: int


class Slope(NamedTuple):
    """The slope of a line, and half the width of the interval around it."""

    value: float
    half_width: float


class Traffic:
    """Makes requests, all different, sends them, and counts the spans."""

    def __init__(self, send: Send) -> None:
        self.spans = 0
        self.answers = 0
        self._send = send
        self._seeds = count()
        self._interactions = interactions(seed=1)

    def plain(self) -> None:
        """Send a request of plain spans, and one of log records."""
        seed = next(self._seeds)
        self._send(Signal.TRACES, plain_request(Signal.TRACES, _SPANS, seed))
        self._send(Signal.LOGS, plain_request(Signal.LOGS, _LOGS, seed))
        self.spans += _SPANS

    def answer(self) -> None:
        """Send an agent's trace."""
        self._send(Signal.TRACES, next(self._interactions).body)
        self.spans += _AGENT_SPANS
        self.answers += 1


def main() -> None:
    """Parse options, run, print; exit with 1 if anything is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="of the measurement, at most a day")
    parser.add_argument("--warm-up", type=float, default=3.0, help="minutes before it, as fast as it goes")
    parser.add_argument(
        "--requests", type=float, default=10.0, help=f"a second, of {_SPANS} spans, and as many of logs"
    )
    parser.add_argument("--answers", type=float, default=1.0, help="a second")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    before = machine.describe()
    minutes = min(options.minutes, _MOST_MINUTES)
    with tempfile.TemporaryDirectory() as name, backend() as target:
        folder = Path(name)
        config = configuration({"otlp/backend": {"endpoint": target.grpc_endpoint, "tls": {"insecure": True}}})
        config["service"]["queue"] = {"storage": "disk", "path": str(folder / "queue")}
        with gateway(config, folder) as running:
            traffic = Traffic(http_sender(running.http_endpoint))
            _warm_up(traffic, min(options.warm_up, minutes) * 60)
            _arrive(target, traffic)
            warm = traffic.spans, traffic.answers
            samples = list(_paced(traffic, running, folder / "queue", minutes * 60, options.requests, options.answers))
            missing = _arrive(target, traffic)
    rows = _rows(samples)
    found = slope([(sample.seconds / 3600, sample.rss) for sample in samples])
    print_table(f"memory, disk and open files over {minutes:g} minutes", rows)
    result: dict[str, Any] = {
        "spans": traffic.spans - warm[0],
        "answers": traffic.answers - warm[1],
        "missing": missing,
        "warm-up: spans": warm[0],
        "warm-up: answers": warm[1],
        "MB an hour": f"{found.value:+.1f} ± {found.half_width:.1f}",
    }
    print_table("in all", [result])
    write(options.out, {"samples": rows, **result}, before)
    if missing:
        sys.exit("not everything arrived")


def slope(points: Sequence[tuple[float, float]]) -> Slope:
    """Fit a line through the means of twenty blocks of points, in order of x; at least as many points as blocks."""
    size = len(points) / _BLOCKS
    blocks = [points[round(i * size) : round((i + 1) * size)] for i in range(_BLOCKS)]
    xs, ys = [fmean(x for x, _ in block) for block in blocks], [fmean(y for _, y in block) for block in blocks]
    x_mean, y_mean = fmean(xs), fmean(ys)
    spread = sum((x - x_mean) ** 2 for x in xs)
    value = sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys, strict=True)) / spread
    residual = sum((y - y_mean - value * (x - x_mean)) ** 2 for x, y in zip(xs, ys, strict=True))
    return Slope(value, _QUANTILE * math.sqrt(residual / (_BLOCKS - 2) / spread))


def _warm_up(traffic: Traffic, seconds: float) -> None:
    """Send for so long as fast as requests are acknowledged."""
    until = time.monotonic() + seconds

    def work(send: Callable[[], None]) -> None:
        while time.monotonic() < until:
            send()

    with ThreadPoolExecutor(2) as pool:  # one each: requests are made in order
        for done in [pool.submit(work, traffic.plain), pool.submit(work, traffic.answer)]:
            done.result()


def _paced(
    traffic: Traffic, running: RunningGateway, queue: Path, seconds: float, requests: float, answers: float
) -> Iterator[Sample]:
    """Send at even rates, and take samples."""
    began = time.monotonic()
    turns = [(1 / requests, traffic.plain), (1 / answers, traffic.answer)]
    due = [0.0, 0.0, 0.0]
    while (now := time.monotonic() - began) < seconds:
        for index, (pause, send) in enumerate(turns):
            if now >= due[index]:
                due[index] += pause
                send()
        if now >= due[-1]:
            due[-1] += _SAMPLE_SECONDS
            yield _sample(now, running.pid, queue)
        time.sleep(max(0.0, min(due) - (time.monotonic() - began)))


def _sample(seconds: float, pid: int, queue: Path) -> Sample:
    disk = 0
    for file in queue.rglob("*"):
        try:
            disk += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:  # it was delivered
            continue
    return Sample(seconds, machine.memory_mb(pid)["rss"], disk / 1e6, machine.files(pid))


def _arrive(target: Backend, traffic: Traffic) -> int:
    """Wait until everything sent has arrived; return how many spans have not."""
    deadline = time.monotonic() + _PATIENCE
    while target.count(Signal.TRACES) < traffic.spans and time.monotonic() < deadline:
        time.sleep(0.1)
    return traffic.spans - target.count(Signal.TRACES)


def _rows(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return the mean of each tenth of the time."""
    size = len(samples) / 10
    tenths = [samples[round(i * size) : round((i + 1) * size)] for i in range(10)]
    return [
        {
            "minute": f"{tenth[0].seconds / 60:.1f} to {tenth[-1].seconds / 60:.1f}",
            "MB": f"{fmean(sample.rss for sample in tenth):.1f}",
            "MB on disk": f"{fmean(sample.disk for sample in tenth):.1f}",
            "open files": max(sample.files for sample in tenth),
        }
        for tenth in tenths
        if tenth
    ]


if __name__ == "__main__":
    main()
