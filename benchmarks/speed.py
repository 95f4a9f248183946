"""How fast the built-in models are, by runtime, beside the machine's own speed and beside the usual stack.

    python benchmarks/speed.py --out speed.json

Tokens are counted without padding, and no text comes twice. The usual stack needs the extra `torch`; without it that
part is left out. All runtimes and the stack take turns in one process.
"""

import argparse
import asyncio
import importlib.util
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import numpy as np
from harness import percentile, print_table, write
from interactions import interaction
from machine import describe

from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.evaluation.jobs import Limits
from otel_agent_eval.models.builtin import load_builtin
from otel_agent_eval.models.model import Model
from otel_agent_eval.models.processor import available_cores, processor_features
from otel_agent_eval.models.runtime import FloatArray
from otel_agent_eval.models.runtimes import Wanted
from otel_agent_eval.models.tokens import Window
from otel_agent_eval.models.worker import ThreadWorker
from otel_agent_eval.processors.registry import load_evaluators

EVALUATORS = ("toxicity", "input_toxicity", "faithfulness", "relevance")
LENGTHS = (16, 64, 128, 250)
AT_ONCE = (1, 4, 16)
WARM_UP = 3

Row = dict[str, Any]


def installed() -> list[Wanted]:
    """Return the runtimes that can be measured here."""
    needed = {name: (name,) for name in get_args(Wanted) if name != "auto"} | {"torch": ("torch", "onnx")}
    return [name for name, packages in needed.items() if all(map(importlib.util.find_spec, packages))]


def numpy_peak(size: int = 1536, rounds: int = 6) -> float:
    """Return 10^12 operations a second of a square matrix product in fp32."""
    one = np.ones((size, size), dtype=np.float32)
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        one @ one
        times.append(time.perf_counter() - started)
    return 2 * size**3 / min(times) / 1e12


def token_rates(runtimes: Sequence[Wanted], rounds: int) -> list[Row]:
    """Measure tokens a second of one encoder by length and number of windows; the runtimes take turns."""
    models = {runtime: load_builtin("faithfulness", runtime=runtime) for runtime in runtimes}
    random = np.random.default_rng(0)
    rows = []
    for length in LENGTHS:
        for windows in AT_ONCE:
            best = dict.fromkeys(models, float("inf"))
            for _ in range(rounds + 1):
                read = [Window(tuple(ids), (0,) * length) for ids in random.integers(1000, 20_000, (windows, length))]
                for runtime, model in models.items():
                    started = time.perf_counter()
                    model.run("support", read)
                    best[runtime] = min(best[runtime], time.perf_counter() - started)
            rates = {f"{runtime} tokens/s": windows * length / seconds for runtime, seconds in best.items()}
            rows.append({"tokens": length, "windows": windows, **rates})
    return rows


def tokens_of_verdict() -> dict[str, int]:
    """Count the tokens that are read for one verdict, by evaluator."""
    read: list[int] = []
    run = Model.run

    def counting(self: Model, output: str, windows: Sequence[Window]) -> FloatArray:
        read.append(sum(len(window.ids) for window in windows))
        return run(self, output, windows)

    counts = {}
    with patch.object(Model, "run", counting):
        for evaluator in load_evaluators(EVALUATORS):
            evaluator.evaluate([interaction(0)])
            counts[evaluator.name] = sum(read)
            read.clear()
    return counts


async def verdicts(engine: Engine, concurrent: int, many: int, numbers: Iterator[int]) -> Row:
    """Judge so many interactions, so many of them at a time; milliseconds, and CPU time of this process."""
    thresholds = {name: evaluator.threshold for name, evaluator in engine.evaluators.items()}
    times: list[float] = []
    todo = iter(range(many))

    async def client() -> None:
        for _ in todo:
            started = time.perf_counter()
            await engine.evaluate(interaction(next(numbers)), thresholds)
            times.append(1e3 * (time.perf_counter() - started))

    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client() for _ in range(concurrent)))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {
        "at once": concurrent,
        "verdicts": many,
        "verdicts/s": many / seconds,
        "p50 ms": percentile(times, 50),
        "p99 ms": percentile(times, 99),
        "CPU ms each": 1e3 * cpu / many,
    }


async def engine_rates(runtimes: Sequence[Wanted], many: int) -> list[Row]:
    """Measure all evaluators together, as the gateway runs them, for each runtime."""
    rows, numbers = [], count(1)
    engines = {
        runtime: Engine([ThreadWorker(partial(load_evaluators, EVALUATORS, runtime=runtime))], Limits())
        for runtime in runtimes
    }
    for engine in engines.values():
        await engine.start()
        await verdicts(engine, 1, WARM_UP, numbers)
    for concurrent in AT_ONCE:
        for runtime, engine in engines.items():
            rows.append({"runtime": runtime, **await verdicts(engine, concurrent, many * min(concurrent, 4), numbers)})
    for engine in engines.values():
        await engine.close()
    return rows


def side_by_side(runtimes: Sequence[Wanted], rounds: int) -> list[Row]:
    """Judge by the usual stack and by each runtime in turns, one interaction after another; the median counts."""
    from usual_stack import UsualStack  # noqa: PLC0415 (needs torch)

    stack = UsualStack(load_builtin("toxicity").tokenizer.encode, available_cores())
    evaluators = {runtime: load_evaluators(EVALUATORS, runtime=runtime) for runtime in runtimes}
    numbers, times = count(1), {name: list[float]() for name in ("usual stack", *runtimes)}
    for _ in range(rounds + 1):
        for name, own in times.items():
            judged = interaction(next(numbers))
            started = time.perf_counter()
            if name == "usual stack":
                stack.judge(judged)
            else:
                for evaluator in evaluators[name]:
                    evaluator.evaluate([judged])
            own.append(time.perf_counter() - started)
    usual, *ours = ({"": name, "interactions/s": 1 / percentile(own[1:], 50)} for name, own in times.items())
    return [row | {"ratio": row["interactions/s"] / usual["interactions/s"]} for row in (usual, *ours)]


def main() -> None:
    """Parse options, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=40, help="verdicts of the smallest load")
    parser.add_argument("--rounds", type=int, default=8, help="rounds of what takes turns")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    before = {**describe(), "features": " ".join(sorted(processor_features()))}
    runtimes, torch = installed(), all(map(importlib.util.find_spec, ("torch", "transformers")))
    peaks = {"numpy fp32": numpy_peak()}
    if torch:
        from usual_stack import matrix_peak  # noqa: PLC0415 (needs torch)

        peaks |= matrix_peak(available_cores())
    results: dict[str, Any] = {
        "peak_tflops": peaks,
        "tokens_of_verdict": tokens_of_verdict(),
        "encoder": token_rates(runtimes, options.rounds),
        "verdicts": asyncio.run(engine_rates(runtimes, options.verdicts)),
    }
    print_table("matrix products, 10^12 operations a second", [peaks])
    print_table("tokens of one verdict", [results["tokens_of_verdict"]])
    print_table("one encoder", results["encoder"])
    print_table("all evaluators", results["verdicts"])
    if torch:
        results["side_by_side"] = side_by_side(runtimes, options.rounds)
        print_table("one interaction after another", results["side_by_side"])
    else:
        print("the usual stack is left out: torch and transformers are not installed (extra `torch`)")
    for name in get_args(Wanted):
        if name not in (*runtimes, "auto"):
            print(f"{name} is left out: it is not installed")
    write(options.out, results, before)


if __name__ == "__main__":
    main()
