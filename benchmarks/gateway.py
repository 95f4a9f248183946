"""Answers scored by a running gateway: how many a second, and how long each takes, at several loads.

    python benchmarks/gateway.py [--loads 1 5 10 20 40] [--seconds 8] [--worker process] [--workers 1] [--out FILE]

Traces of an agent (a question, five passages of some 100 tokens, an answer of some 150; all texts differ) are posted
over OTLP/HTTP at random times of the given mean rate, as users ask. Latency runs from the moment a request is due to be
sent until the scored span arrives at a backend behind the gateway. "as fast as it goes" keeps a fixed number of answers
in the gateway; the last load is three times the rate found so. Beside the answers, plain telemetry (100 spans, five
times a second) shows whether scoring holds up what needs no score.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import machine
from backend import backend
from harness import configuration, gateway, percentile, print_table, write
from loads import Bench, Load, Pace, full, paced, run_load
from telemetry import Interaction, interactions

from otel_agent_eval.models.builtin import load_builtin

_FEWEST = 20
_PLAIN_EVERY = 0.2
_OVERLOAD = 3


def main() -> None:
    """Parse options, run all loads, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loads", type=float, nargs="*", default=[1, 5, 10, 20, 40], help="answers a second")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each load; low ones take up to twice as long")
    parser.add_argument("--worker", choices=("process", "thread"), default="process", help="where the models run")
    parser.add_argument("--workers", type=int, default=1, help="how many processes hold models")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    before = machine.describe()
    source = interactions(seed=1)
    tokens = _token_counts(list(islice(source, 50)))
    answers: list[dict[str, Any]] = []
    plain: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, backend(watch=True) as target:
        exporter = {"otlp/backend": {"endpoint": target.grpc_endpoint, "tls": {"insecure": True}}}
        config = configuration(exporter, {"worker": options.worker, "workers": options.workers}, interval="1h")
        with gateway(config, Path(folder)) as running:
            bench = Bench(running, target)

            def run(load: str, pace: Pace) -> None:
                scored, passed = _run(bench, source, pace)
                answers.append({"load": load, **scored})
                plain.append({"answers' load": load, **passed})

            _run(bench, source, full(1.0))  # the first answers meet cold caches
            for load in options.loads:
                seconds = min(max(options.seconds, _FEWEST / load), 2 * options.seconds)
                run(f"{load:g}/s", paced(load, seconds))
            run("as fast as it goes", full(options.seconds))
            capacity = max(answers[-1]["scored/s"], 1.0)
            run("three times that", paced(_OVERLOAD * capacity, options.seconds))
    print_table("answers scored", answers)
    print_table("plain telemetry meanwhile", plain)
    write(
        options.out,
        {"worker": options.worker, "workers": options.workers, "tokens": tokens, "answers": answers, "plain": plain},
        {**before, **tokens},
    )


def _run(bench: Bench, source: Iterator[Interaction], pace: Pace) -> tuple[dict[str, Any], dict[str, Any]]:
    """Send answers at a pace, and plain telemetry beside; return the rows for both once everything has arrived."""
    load = run_load(bench, source, pace, _PLAIN_EVERY)
    return _answers_row(bench, load), _plain_row(bench, load)


def _answers_row(bench: Bench, load: Load) -> dict[str, Any]:
    outcomes = [set(bench.arrived[span_id].outcomes.values()) for span_id in load.answers]
    scored = [span_id for span_id, own in zip(load.answers, outcomes, strict=True) if own == {"scored"}]
    counts = Counter("+".join(sorted(own)) or "none" for own in outcomes)
    latencies = bench.latencies(scored)
    return {
        "sent": len(load.answers),
        "outcomes": ", ".join(f"{name} {count}" for name, count in counts.most_common()),
        "scored/s": len(scored) / load.taken,
        **{f"p{percent} ms": percentile(latencies, percent) for percent in (50, 95, 99)},
        "CPU ms each": 1000 * load.cpu / max(len(scored), 1),
    }


def _plain_row(bench: Bench, load: Load) -> dict[str, Any]:
    percents = (50, 95, 100)
    arrived = bench.latencies(load.plain)
    return {
        "requests": len(load.plain),
        **{f"acknowledged p{percent} ms": percentile(load.plain_acknowledged, percent) for percent in percents},
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
