"""How fast the built-in evaluators are: one verdict alone, and many at once. Prints a table and writes JSON.

    python benchmarks/inference.py --out inference.json

Each load runs in this one process against one engine, as the gateway does. Tokens are counted without padding.
"""

import argparse
import asyncio
import json
import os
import platform
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from rich.console import Console
from rich.table import Table

from otel_agent_eval.evaluation import Document, Evaluator, Interaction
from otel_agent_eval.evaluation.engine import Engine, Limits
from otel_agent_eval.models.builtin import available_cores, load_builtin
from otel_agent_eval.models.model import Model, load_model
from otel_agent_eval.models.worker import ProcessWorker, ThreadWorker
from otel_agent_eval.processors.registry import BUILT_IN

QUESTION = "How do I return a pair of shoes that I bought online three weeks ago, and when do I get my money back?"
ANSWER = (
    "You can return the shoes within thirty days of delivery, as long as they have not been worn outside. "
    "Open your order in the app, choose the shoes, and select a reason for the return. "
    "You will then receive a label by email, which you can print or show at any parcel shop. "
    "Parcels usually take two to four working days to arrive at our warehouse in Leipzig. "
    "Once the shoes have been checked, the amount is paid back to the card that you used for the order. "
    "Most banks show the refund within five working days after that. "
    "If you paid with a gift card, the balance is restored at once, and you can use it for your next order."
)
PASSAGES = (
    (
        "Returns are accepted within thirty days of delivery. Shoes must be unworn and in the original box. "
        "Items marked as final sale, underwear and personalised products are excluded. The thirty days begin "
        "on the day the parcel is handed over, not on the day of the order."
    ),
    (
        "To start a return, open the order in the app or on the website, choose the items and select a "
        "reason. A label is sent by email. It can be printed at home or shown as a code at any parcel shop. "
        "One label covers one parcel."
    ),
    (
        "Our warehouse is in Leipzig. Parcels from Germany arrive in two to four working days, from other "
        "countries of the European Union in four to eight. You can follow the parcel with the number on the "
        "label."
    ),
    (
        "Refunds are made to the payment method of the order after the items have been checked, which takes "
        "up to three working days. Banks show card refunds within five working days. Gift card balances are "
        "restored immediately."
    ),
    (
        "Customers who order more than twelve times a year become members of the club. Members have free "
        "express delivery, early access to sales, and sixty days for returns. Membership ends after a year "
        "without an order."
    ),
)
WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Load:
    """So many verdicts, so many of them waiting at any time."""

    concurrent: int
    verdicts: int


def load_weights(folder: Path | None) -> Model:
    """Load the model of a folder, or the one that comes with the package."""
    return load_model(folder, available_cores()) if folder else load_builtin()


def load(folder: Path | None) -> list[Evaluator]:
    """Load the evaluators where they run."""
    model = load_weights(folder)
    return [make(model) for make in BUILT_IN.values()]


def interaction(number: int) -> Interaction:
    """Return the case of the latency budget: an answer of 150 tokens, five passages. Each one differs a little."""
    documents = tuple(Document(id=str(i), text=text) for i, text in enumerate(PASSAGES))
    return Interaction(question=QUESTION, answer=f"{ANSWER} Your case is {number}.", documents=documents)


async def measure(engine: Engine, load: Load) -> dict[str, float]:
    """Run one load; times in milliseconds. `cpu_ms` is of this process only: with a model process it is the rest."""
    decisions = {name: evaluator.threshold for name, evaluator in engine.evaluators.items()}
    times: list[float] = []
    numbers = iter(range(load.verdicts))

    async def client() -> None:
        for number in numbers:
            started = time.perf_counter()
            await engine.evaluate(interaction(number), decisions)
            times.append(1e3 * (time.perf_counter() - started))

    lag = asyncio.create_task(loop_lag())
    started, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client() for _ in range(load.concurrent)))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    lag.cancel()
    lags = (await asyncio.gather(lag, return_exceptions=True))[0]
    return {
        "concurrent": load.concurrent,
        "verdicts": load.verdicts,
        "per_second": load.verdicts / seconds,
        "cpu_ms": 1e3 * cpu / load.verdicts,
        "p50_ms": float(np.percentile(times, 50)),
        "p99_ms": float(np.percentile(times, 99)),
        "loop_lag_p99_ms": float(np.percentile(lags, 99)) if isinstance(lags, list) else 0.0,
    }


async def loop_lag() -> list[float]:
    """Return how much later than asked the event loop comes round, in milliseconds, until cancelled."""
    lags: list[float] = []
    try:
        while True:
            started = time.perf_counter()
            await asyncio.sleep(0.002)
            lags.append(1e3 * (time.perf_counter() - started) - 2.0)
    except asyncio.CancelledError:
        return lags


def memory(field: str) -> float:
    """Return a field of this process's memory in MB (Linux; 0 elsewhere)."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(field)), 0.0)


def tokens_per_verdict(folder: Path | None) -> dict[str, int]:
    """Count the tokens that the models read for one verdict, by evaluator."""
    model = load_weights(folder)
    run = model.run
    read: list[int] = []
    model.run = lambda output, windows: (read.extend(len(w.ids) for w in windows), run(output, windows))[1]  # type: ignore[method-assign,func-returns-value]  # counts what passes
    counts: dict[str, int] = {}
    for name, make in BUILT_IN.items():
        make(model).evaluate([interaction(0)])
        counts[name] = sum(read)
        read.clear()
    return counts


async def benchmark(
    kind: type[ThreadWorker] | type[ProcessWorker], folder: Path | None, verdicts: int, batch: int
) -> dict[str, Any]:
    """Measure all loads with the models in a thread or in a process."""
    engine = Engine([kind(partial(load, folder))], Limits(batch=batch))
    started = time.perf_counter()
    await engine.start()
    ready = time.perf_counter() - started
    idle = memory("VmRSS")
    await measure(engine, Load(1, WARM_UP))
    loads = [Load(1, verdicts), Load(4, verdicts), Load(16, 2 * verdicts), Load(64, 4 * verdicts)]
    results = [await measure(engine, load) for load in loads]
    await engine.close()
    return {"worker": kind.__name__, "start_seconds": ready, "memory_loaded_mb": idle, "loads": results}


def report(found: dict[str, Any]) -> None:
    """Print what was measured."""
    console = Console()
    console.print(f"tokens of one verdict: {found['tokens']}  ({sum(found['tokens'].values())} in all)")
    for run in found["runs"]:
        title = f"{run['worker']}: ready in {run['start_seconds']:.2f} s, {run['memory_loaded_mb']:.0f} MB loaded"
        table = Table(
            "concurrent", "verdicts/s", "tokens/s", "cpu ms each", "p50 ms", "p99 ms", "loop lag p99 ms", title=title
        )
        for row in run["loads"]:
            tokens = row["per_second"] * sum(found["tokens"].values())
            cells = (row["per_second"], tokens, row["cpu_ms"], row["p50_ms"], row["p99_ms"], row["loop_lag_p99_ms"])
            table.add_row(str(row["concurrent"]), *(f"{cell:.1f}" for cell in cells))
        console.print(table)


def main() -> None:
    """Parse options, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=50, help="verdicts of the smallest load")
    parser.add_argument("--batch", type=int, default=Limits().batch, help="most interactions of a batch")
    parser.add_argument("--model", type=Path, help="folder of another model to measure")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    options = parser.parse_args()
    runs = [
        asyncio.run(benchmark(kind, options.model, options.verdicts, options.batch))
        for kind in (ThreadWorker, ProcessWorker)
    ]
    found = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": available_cores()},
        "load_average": os.getloadavg(),
        "onnxruntime": onnxruntime.__version__,
        "tokens": tokens_per_verdict(options.model),
        "runs": runs,
    }
    report(found)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
