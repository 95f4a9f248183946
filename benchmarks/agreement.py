"""How far the scores of the runtimes lie apart, and the score of an answer alone from the one it gets among others.

    python benchmarks/agreement.py --data FOLDER [--rows 200] [--out agreement.json]

FOLDER holds ``toxicity/*.jsonl.gz``, ``faithfulness/*.jsonl.gz`` and ``relevance/*.jsonl.gz``: of every set the same
number of rows is drawn, with a seed. Runtimes that are not installed are left out.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from harness import percentile, print_table, write
from machine import describe
from quality import interaction_of
from speed import installed

from otel_agent_eval.evaluation import Evaluator, Interaction, Scored
from otel_agent_eval.models.runtimes import Wanted
from otel_agent_eval.processors.registry import load_evaluators
from training.datasets import available_sets, read_set

KINDS = ("toxicity", "faithfulness", "relevance")
AT_ONCE = 4
"""Answers that the engine gives an evaluator at once."""

Row = dict[str, Any]


def draw(folder: Path, kind: str, count: int) -> list[Interaction]:
    """Return about so many rows, as many of every set, in an order that mixes the sets."""
    names = available_sets(folder, kind)
    chance = random.Random(0)  # noqa: S311 (a sample, no secret)
    found = []
    for name in names:
        rows = read_set(folder / kind, name)
        found += chance.sample(rows, min(len(rows), -(-count // len(names))))
    chance.shuffle(found)
    return [interaction_of(row) for row in found]


def scores(evaluator: Evaluator, drawn: Sequence[Interaction], at_once: int) -> list[float]:
    """Return the score of each interaction, so many at a time; NaN where there is none."""
    batches = [drawn[start : start + at_once] for start in range(0, len(drawn), at_once)]
    found = [evaluation for batch in batches for evaluation in evaluator.evaluate(batch)]
    return [evaluation.score if isinstance(evaluation, Scored) else float("nan") for evaluation in found]


def apart(one: Sequence[float], other: Sequence[float], threshold: float) -> Row:
    """Describe how far scores lie apart."""
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a == a and b == b]  # noqa: PLR0124 (NaN)
    distances = [abs(a - b) for a, b in pairs]
    return {
        "scores": len(pairs),
        "mean": float(np.mean(distances)),
        "p99": percentile(distances, 99),
        "most": max(distances),
        "other label": sum((a < threshold) != (b < threshold) for a, b in pairs),
    }


def main() -> None:
    """Parse options, score, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=200, help="rows of each kind of score, about")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    before, names = describe(), installed()
    runtimes: list[Row] = []
    batches: list[Row] = []
    for kind in KINDS:
        drawn = draw(options.data, kind, options.rows)
        reference: list[float] = []
        for name in names:
            # Two of each: what was read once is remembered.
            (among,), (alone,) = _load(kind, name), _load(kind, name)
            found = scores(among, drawn, AT_ONCE)
            first = {"score": kind, "runtime": name}
            batches.append(first | apart(scores(alone, drawn[::-1], 1)[::-1], found, among.threshold))
            reference = reference or found
            if name != names[0]:
                runtimes.append(first | apart(reference, found, among.threshold))
    print_table("alone and among others", batches)
    if runtimes:
        print_table(f"beside {names[0]}", runtimes)
    write(options.out, {"alone": batches, "runtimes": runtimes}, before)


def _load(kind: str, runtime: Wanted) -> list[Evaluator]:
    return load_evaluators([kind], runtime=runtime)


if __name__ == "__main__":
    main()
