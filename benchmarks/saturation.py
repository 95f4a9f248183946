"""Far more answers than the models can score: what is left out first, and whether receivers notice.

    python benchmarks/saturation.py [--seconds 10] [--times 5] [--workers 1] [--out FILE]

In one run of one gateway: plain telemetry alone (100 spans, twenty times a second), then beside as many answers as the
models can score, then beside several times as many, at random times. The first table says how long receivers took to
acknowledge requests, the second what share of the answers got each score, and why the others did not. All spans must
arrive. One in twenty answers is of another service than all others: it shall lose nothing to them but what is
less important than theirs.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import machine
from backend import backend
from harness import configuration, gateway, percentile, print_table, write
from loads import Bench, Load, full, paced, run_load, silent
from telemetry import Interaction, interactions

from otel_agent_eval.config.processors import DEFAULT_EVALUATORS

_PLAIN_EVERY = 0.05
_QUIET_EVERY = 20
_OUTCOMES = ("scored", "overloaded", "deadline")


def main() -> None:
    """Parse options, run the loads, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--times", type=float, nargs="*", default=[5.0], help="the overload, in times the capacity")
    parser.add_argument("--workers", type=int, default=1, help="how many processes hold models")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    before = machine.describe()
    with tempfile.TemporaryDirectory() as folder, backend(watch=True) as target:
        exporter = {"otlp/backend": {"endpoint": target.grpc_endpoint, "tls": {"insecure": True}}}
        config = configuration(exporter, {"workers": options.workers}, interval="1h")
        with gateway(config, Path(folder)) as running:
            bench = Bench(running, target)
            quiet: set[bytes] = set()
            loads = dict(_loads(bench, _two_services(quiet), options.seconds, options.times))
    acknowledged = [_acknowledged(name, load) for name, load in loads.items()]
    scores = [
        {"answers": name, "of": service, **_share(bench, answers, each)}
        for name, load in loads.items()
        for service, answers in (("loud", set(load.answers) - quiet), ("quiet", quiet & set(load.answers)))
        for each in DEFAULT_EVALUATORS
        if answers
    ]
    print_table("acknowledged", acknowledged)
    print_table("scores", scores)
    write(options.out, {"workers": options.workers, "acknowledged": acknowledged, "scores": scores}, before)


def _two_services(quiet: set[bytes]) -> Iterator[Interaction]:
    """Yield answers of two services without end; the ids of those of the quiet one are put into the set."""
    loud, other = interactions(seed=1), interactions(seed=2, service="quiet")
    for number in count(1):
        if number % _QUIET_EVERY:
            yield next(loud)
        else:
            interaction = next(other)
            quiet.add(interaction.span_id)
            yield interaction


def _loads(
    bench: Bench, source: Iterator[Interaction], seconds: float, times: Sequence[float]
) -> Iterator[tuple[str, Load]]:
    run_load(bench, source, full(1.0), _PLAIN_EVERY)  # the first answers meet cold caches
    yield "no answers", run_load(bench, source, silent(seconds), _PLAIN_EVERY)
    busy = run_load(bench, source, full(seconds), _PLAIN_EVERY)
    yield "as many as go", busy
    scored = sum(set(bench.arrived[span].outcomes.values()) == {"scored"} for span in busy.answers)
    capacity = max(scored / busy.taken, 0.5)
    for factor in times:
        yield (
            f"{factor:g} times {capacity:.1f}/s",
            run_load(bench, source, paced(factor * capacity, seconds), _PLAIN_EVERY),
        )


def _acknowledged(name: str, load: Load) -> dict[str, Any]:
    row: dict[str, Any] = {"answers": name, "sent": len(load.answers), "plain requests": len(load.plain)}
    for kind, milliseconds in (("plain", load.plain_acknowledged), ("answer", load.acknowledged)):
        row |= {f"{kind} p{percent} ms": percentile(milliseconds, percent) for percent in (50, 99)}
    return row


def _share(bench: Bench, answers: Collection[bytes], evaluator: str) -> dict[str, Any]:
    found = Counter(bench.arrived[span].outcomes.get(evaluator, "none") for span in answers)
    shares = {f"{outcome} %": 100 * found[outcome] / len(answers) for outcome in _OUTCOMES}
    rest = sum(found.values()) - sum(found[outcome] for outcome in _OUTCOMES)
    return {"score": evaluator, "sent": len(answers), **shares, "else %": 100 * rest / len(answers)}


if __name__ == "__main__":
    main()
