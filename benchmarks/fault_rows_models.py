"""The rows of `faults.py` about models: they are killed, hang, run out of memory, or have too much to do."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from fault_bench import Bench
from fault_evaluators import plugin_folder
from fault_row import Make, Row, row_of

from otel_agent_eval.config.processors import DEFAULT_EVALUATORS

_BETWEEN_KILLS = 3.0
_MAY_TAKE = "2s"


def _killed(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    kills = 0

    def kill() -> None:
        nonlocal kills
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(min(_BETWEEN_KILLS, seconds / 3))
            for child in _model_processes(bench.pid):
                os.kill(child, signal.SIGKILL)
                kills += 1

    with Bench(folder) as bench:
        bench.send_for(seconds, kill)
        return row_of(name, bench, seconds, f"{kills} kills; {_scores(bench, 'toxicity')}")


def _hanging(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    return _with_plugin(name, folder, seconds, "hanging")


def _hungry(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    return _with_plugin(name, folder, seconds, "hungry")


def _with_plugin(name: str, folder: Path, seconds: float, evaluator: str) -> Row:
    with_plugin = Bench(folder)
    with_plugin.paths += plugin_folder(folder / "site")
    with_plugin.config["processors"]["agent_eval"] |= {
        "evaluators": {"toxicity": {}, evaluator: {"priority": 100}},  # with too much to do others would be left out
        "worker_timeout": _MAY_TAKE,
    }
    with with_plugin as bench:
        bench.send_for(seconds)
        ended = bench.metric("agent_eval_gateway_worker_endings_total")
        note = f"{ended:.0f} workers replaced; {_scores(bench, evaluator)}; {_scores(bench, 'toxicity')}"
        return row_of(name, bench, seconds, note)


def _too_much(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    """Send as fast as requests are acknowledged: each holds an answer, and models score some ten a second."""
    overloaded = Bench(folder)
    overloaded.config["processors"]["agent_eval"]["evaluators"] = {one: {} for one in DEFAULT_EVALUATORS}
    with overloaded as bench:
        bench.send_for(seconds)
        bench.calm()
        return row_of(name, bench, seconds, "; ".join(_scores(bench, one) for one in DEFAULT_EVALUATORS))


def _scores(bench: Bench, evaluator: str) -> str:
    """Say how the evaluations of one evaluator ended."""
    found = {
        outcome: bench.metric(
            "agent_eval_evaluations_raw_total", gen_ai_evaluation_name=evaluator, agent_eval_outcome=outcome
        )
        for outcome in ("scored", "skipped", "failed")
    }
    return f"{evaluator} " + ", ".join(f"{outcome} {count:.0f}" for outcome, count in found.items() if count)


def _model_processes(gateway: int) -> list[int]:
    """Return the processes that hold models; the other children of a gateway only keep its books."""
    tasks = Path(f"/proc/{gateway}/task").iterdir() if gateway else ()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


ROWS: Mapping[str, Make] = {
    "model worker killed every few seconds": _killed,
    "model worker hung": _hanging,
    "model worker out of memory": _hungry,
    "more answers than models can score": _too_much,
}
"""The rows by name."""
