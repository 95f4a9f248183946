"""Telemetry passed on that needs no score: the gateway beside rotel, a native collector, in the same run.

    python tests/backends/environments.py rotel
    python benchmarks/passthrough.py [--queue memory disk always] [--rounds 4] [--seconds 0.7] [--out results.json]

Each gateway has its queue in memory, on disk, or on disk with `fsync: always`; rotel has nothing on disk.
All get the same requests from the same sender and forward them, by the protocol in which they came, to the same
backend, in turns. CPU time of the process per item is what is compared: the machine's other work changes it little.
`ratio` is how many items the gateway passes on for one of rotel's, for the same CPU time; above 1 the gateway is
cheaper. In mixed requests one span in a hundred is an agent's, though none is an answer.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import machine
from backend import Backend, backend
from harness import configuration, gateway, print_table, rotel, write
from sender import Send, grpc_sender, http_sender
from telemetry import mixed_request, plain_request

from otel_agent_eval.signals import Signal

_IN_FLIGHT = 8
_DISTINCT_ITEMS = 20_000
_SETTLE = 0.3  # rotel sends its last batch after 200 ms
_PATIENCE = 60.0


class Case(NamedTuple):
    """What is sent: over which transport, of which signal, how many items a request, with an agent's spans or not."""

    transport: str
    signal: Signal
    items: int
    mixed: bool = False

    def request(self, seed: int) -> bytes:
        """Make a request."""
        return mixed_request(self.items, seed) if self.mixed else plain_request(self.signal, self.items, seed)


CASES = (
    *(Case(transport, Signal.TRACES, items) for transport in ("grpc", "http") for items in (100, 1000)),
    Case("grpc", Signal.TRACES, 1000, mixed=True),
    Case("grpc", Signal.LOGS, 1000),
    Case("grpc", Signal.METRICS, 1000),
)


QUEUES: Mapping[str, Mapping[str, str]] = {
    "memory": {"storage": "memory"},
    "disk": {"storage": "disk"},
    "always": {"storage": "disk", "fsync": "always"},
}


class Contestant(NamedTuple):
    """A collector that forwards to the backend by the protocol `case.transport`."""

    name: str
    pid: int
    send: Send


class Turn(NamedTuple):
    """What one contestant did in one turn: CPU microseconds and items per second of wall time."""

    cpu: float
    rate: float


def main() -> None:
    """Parse options, run all cases, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4, help="turns of each, for each case")
    parser.add_argument("--seconds", type=float, default=0.7, help="about how long a turn of the gateway takes")
    parser.add_argument("--queue", nargs="+", choices=list(QUEUES), default=["memory", "disk"], help="of the gateways")
    parser.add_argument("--cases", nargs="+", type=int, choices=range(len(CASES)), help="only these, counted from 0")
    parser.add_argument("--compression", choices=("none", "gzip"), default="none", help="of what is sent on")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    before = machine.describe()
    cases = [CASES[number] for number in options.cases] if options.cases else CASES
    rows: list[dict[str, Any]] = []
    with backend() as target:
        for transport in dict.fromkeys(case.transport for case in cases):
            with contestants(transport, target, options.queue, options.compression) as running:
                for case in cases:
                    if case.transport == transport:
                        turns = measure(case, running, target, options.rounds, options.seconds)
                        rows += [_row(case, queue, turns[queue], turns["rotel"]) for queue in options.queue]
    print_table(f"passed on without a score, sent on with compression {options.compression}", rows)
    write(options.out, {"compression": options.compression, "cases": rows}, before)


@contextmanager
def contestants(transport: str, target: Backend, queues: Sequence[str], compression: str) -> Iterator[list[Contestant]]:
    """Run a gateway for each kind of queue and rotel, all forwarding by `transport`."""
    over_grpc = transport == "grpc"
    exporter: dict[str, Any] = {"endpoint": target.grpc_endpoint if over_grpc else target.http_endpoint}
    exporter |= {"compression": compression, "tls": {"insecure": True}} if over_grpc else {"compression": compression}
    rotel_target = f"http://{target.grpc_endpoint}" if over_grpc else target.http_endpoint
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        running = []
        for queue in queues:
            config = configuration({"otlp/backend" if over_grpc else "otlphttp/backend": exporter}, interval="1h")
            config["service"]["queue"] = {**QUEUES[queue], "path": str(folder / queue)}
            ours = stack.enter_context(gateway(config, folder))
            send = grpc_sender(ours.grpc_endpoint) if over_grpc else http_sender(ours.http_endpoint)
            running.append(Contestant(queue, ours.pid, send))
        theirs = stack.enter_context(rotel(transport, rotel_target, folder, compression=compression))
        if over_grpc:
            send = grpc_sender(f"127.0.0.1:{theirs.grpc_port}")
        else:
            send = http_sender(f"http://127.0.0.1:{theirs.http_port}")
        yield [*running, Contestant("rotel", theirs.pid, send)]


def measure(
    case: Case, running: Sequence[Contestant], target: Backend, rounds: int, seconds: float
) -> dict[str, list[Turn]]:
    """Let the contestants take turns; the first of a round changes from round to round."""
    requests = [case.request(seed) for seed in range(_DISTINCT_ITEMS // case.items)]
    warm_up = [turn(case, contestant, target, requests, len(requests)) for contestant in running]
    count = max(len(requests), round(seconds * warm_up[0].rate / case.items))
    turns: dict[str, list[Turn]] = {contestant.name: [] for contestant in running}
    for number in range(rounds):
        for contestant in running if number % 2 == 0 else reversed(running):
            turns[contestant.name].append(turn(case, contestant, target, requests, count))
    return turns


def turn(case: Case, contestant: Contestant, target: Backend, requests: Sequence[bytes], count: int) -> Turn:
    """Send `count` requests, as fast as they are acknowledged, and wait until all their items have arrived."""
    expected = target.count(case.signal) + count * case.items
    cpu = machine.cpu_seconds(contestant.pid)
    started = time.monotonic()
    with ThreadPoolExecutor(_IN_FLIGHT) as pool:
        for _ in pool.map(lambda body: contestant.send(case.signal, body), islice(cycle(requests), count)):
            pass
    while target.count(case.signal) < expected:
        if time.monotonic() - started > _PATIENCE:
            raise TimeoutError(f"{contestant.name}: {expected - target.count(case.signal)} {case.signal} missing")
        time.sleep(0.002)
    taken = time.monotonic() - started
    time.sleep(_SETTLE)
    if target.count(case.signal) != expected:
        raise RuntimeError(f"{contestant.name} sent {target.count(case.signal) - expected} {case.signal} too many")
    items = count * case.items
    return Turn((machine.cpu_seconds(contestant.pid) - cpu) * 1e6 / items, items / taken)


def _row(case: Case, queue: str, ours: Sequence[Turn], theirs: Sequence[Turn]) -> dict[str, Any]:
    ratios = [their.cpu / our.cpu for our, their in zip(ours, theirs, strict=True)]
    return {
        "transport": case.transport,
        "signal": f"{case.signal}, mixed" if case.mixed else str(case.signal),
        "a request": case.items,
        "queue": queue,
        "gateway µs": median(turn.cpu for turn in ours),
        "rotel µs": median(turn.cpu for turn in theirs),
        "ratio": median(ratios),
        "min": min(ratios),
        "max": max(ratios),
        "gateway/s": median(turn.rate for turn in ours),
        "rotel/s": median(turn.rate for turn in theirs),
    }


if __name__ == "__main__":
    main()
