"""`otel-agent-eval score`: answers in a file of JSON lines, without telemetry."""

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from otel_agent_eval.commands.configuration import loaded
from otel_agent_eval.commands.rows import Row, read_rows
from otel_agent_eval.evaluation import (
    Description,
    Evaluation,
    Evaluator,
    Failed,
    Interaction,
    Scored,
    Skipped,
    describe,
    with_threshold,
)
from otel_agent_eval.evaluation.eligibility import bounded, reason_to_skip, settle
from otel_agent_eval.evaluation.running import run
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.processors.registry import load_evaluators
from otel_agent_eval.service.choices import choices

DEFAULT_METRICS = ("toxicity", "faithfulness", "relevance")
_CHUNK = 32  # rows that are scored together and then written
_STANDARD = Path("-")


@dataclass(frozen=True, slots=True)
class _Metric:
    """An evaluator and the threshold to judge by."""

    evaluator: Evaluator
    description: Description
    threshold: float


def score(source: Path, target: Path, names: Sequence[str], config: Path | None) -> None:
    """Write each row of `source` with its scores to `target`; `-` is standard input or output.

    Ends with exit code 1 where a file cannot be used, a row could not be read or an evaluation failed; all other rows
    are scored all the same.
    """
    metrics = _metrics(names, config)
    with ExitStack() as stack:
        try:
            reader = sys.stdin.buffer if source == _STANDARD else stack.enter_context(source.open("rb"))
            if _STANDARD not in (source, target) and target.exists() and target.samefile(source):
                sys.exit(f"{target}: this is the input; choose another file")
            writer = sys.stdout.buffer if target == _STANDARD else stack.enter_context(target.open("wb"))
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            name = getattr(error, "filename", None) or source
            sys.exit(f"{str(name)!a}: cannot be opened: {getattr(error, 'strerror', None) or error}")
        size = None if source == _STANDARD else source.stat().st_size
        bad, failed = _score_all(read_rows(reader), writer, metrics, size)
    if bad:
        sys.stderr.write(f"rows that could not be read: {bad}; see their error\n")
    if failed:
        sys.stderr.write(f"evaluations that failed: {failed}; see their error_type\n")
    if bad or failed:
        sys.exit(1)


def _metrics(names: Sequence[str], config: Path | None) -> list[_Metric]:
    """Load the evaluators: those that are named, else those of the configuration, else the default ones."""
    settings = loaded(config).config.agent_eval if config else None
    configured = settings.evaluators if settings else {}
    wanted = tuple(dict.fromkeys(names)) or tuple(configured) or DEFAULT_METRICS
    try:
        runtime = settings.runtime if settings else "auto"
        evaluators = load_evaluators(wanted, runtime=runtime, choices=choices(settings) if settings else {})
    except ModelError as error:
        sys.exit(str(error))
    metrics = []
    for evaluator in evaluators:
        own = configured[evaluator.name].threshold if evaluator.name in configured else None
        metrics.append(_Metric(evaluator, describe(evaluator), evaluator.threshold if own is None else own))
    return metrics


def _score_all(rows: Iterable[Row], writer: IO[bytes], metrics: Sequence[_Metric], size: int | None) -> tuple[int, int]:
    """Score rows in chunks; return how many rows were bad and how many evaluations failed."""
    bad = failed = 0
    rows = iter(rows)
    with _progress() as progress:
        task = progress.add_task("scoring", total=size, rows=0)
        while chunk := list(islice(rows, _CHUNK)):
            interactions = [bounded(row.interaction) for row in chunk if row.interaction is not None]
            columns = {metric.evaluator.name: iter(_evaluate(metric, interactions)) for metric in metrics}
            for row in chunk:
                if row.interaction is None:
                    bad += 1
                    results: dict[str, Any] = {"error": {"line": row.line, "message": row.error}}
                else:
                    evaluations = {name: next(column) for name, column in columns.items()}
                    failed += sum(isinstance(evaluation, Failed) for evaluation in evaluations.values())
                    results = {name: _as_json(evaluation) for name, evaluation in evaluations.items()}
                writer.write(_line(row.fields | results))
            writer.flush()
            progress.update(task, advance=sum(row.size for row in chunk), rows=chunk[-1].line)
    return bad, failed


def _evaluate(metric: _Metric, interactions: Sequence[Interaction]) -> list[Evaluation]:
    reasons = [reason_to_skip(interaction, metric.description) for interaction in interactions]
    eligible = [interaction for interaction, reason in zip(interactions, reasons, strict=True) if reason is None]
    judged = iter(run(metric.evaluator, eligible) if eligible else [])
    return [
        Skipped(reason) if reason is not None else _judged(next(judged), interaction, metric)
        for interaction, reason in zip(interactions, reasons, strict=True)
    ]


def _judged(evaluation: Evaluation, interaction: Interaction, metric: _Metric) -> Evaluation:
    return settle(
        with_threshold(evaluation, metric.threshold, metric.description.direction), interaction, metric.description
    )


def _as_json(evaluation: Evaluation) -> dict[str, Any]:
    match evaluation:
        case Skipped(reason):
            return {"outcome": evaluation.outcome, "reason": reason}
        case Failed(error_type):
            return {"outcome": evaluation.outcome, "error_type": error_type}
        case Scored():
            told = {
                "outcome": evaluation.outcome,
                "score": round(evaluation.score, 6),
                "label": evaluation.label,
                "threshold": evaluation.threshold,
                "evidence": {name: list(values) for name, values in evaluation.evidence.items()},
            }
            return told | ({"explanation": evaluation.explanation} if evaluation.explanation else {})


def _line(row: dict[str, Any]) -> bytes:
    """Write a row. Half a surrogate pair, which UTF-8 has no place for, goes out as the JSON escape it came in as."""
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _progress() -> Progress:
    """Return a progress bar on standard error; nothing is shown where that is no terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]} rows"),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
