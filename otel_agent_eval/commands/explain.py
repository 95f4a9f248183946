"""`otel-agent-eval explain`: what the gateway reads in recorded telemetry, span by span. No model runs."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_agent_eval.commands.configuration import loaded
from otel_agent_eval.commands.explanations import Explanation, explanations
from otel_agent_eval.commands.otlp_files import FileError, read_requests, split
from otel_agent_eval.commands.terminal import shortened, visible
from otel_agent_eval.config import AgentEval
from otel_agent_eval.evaluation import Outcome, Reason, describe
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.processors.registry import load_evaluators
from otel_agent_eval.service import build
from otel_agent_eval.service.choices import choices
from otel_agent_eval.service.selectors import selector

_SHOWN_CHARACTERS = 600


def explain(files: Sequence[Path], config: Path | None, *, as_json: bool) -> None:
    """Print what is read in the files; exit with 1 where one of them, or a part of it, cannot be read."""
    settings = loaded(config).config.agent_eval if config else None
    settings = settings or AgentEval()
    try:
        loaded_evaluators = load_evaluators(settings.evaluators, runtime=settings.runtime, choices=choices(settings))
        evaluators = {evaluator.name: describe(evaluator) for evaluator in loaded_evaluators}
    except ModelError as error:
        sys.exit(str(error))
    parts = [part for file in files for part in read_requests(file)]
    errors = [part for part in parts if isinstance(part, FileError)]
    requests = [part for part in parts if not isinstance(part, FileError)]
    sys.stderr.writelines(f"{error}\n" for error in errors)
    policy = build.policy(settings, {name: evaluator.threshold for name, evaluator in evaluators.items()})
    found = explanations(*split(requests), evaluators, policy, selector(settings))
    if as_json:
        sys.stdout.writelines(f"{json.dumps(_as_json(explanation))}\n" for explanation in found)
    elif requests:
        _show(found)
    if errors:
        sys.exit(1)


def _as_json(explanation: Explanation) -> dict[str, Any]:
    return {
        "trace_id": explanation.trace_id,
        "span_id": explanation.span_id,
        "convention": explanation.convention,
        "keys": explanation.keys,
        "question": explanation.question,
        "answer": next(iter(explanation.answers), ""),
        "answers": explanation.answers,
        "documents": [
            {"id": document.id, "text": document.text, "score": document.score, "span_id": document.span_id}
            for document in explanation.documents
        ],
        "counted": explanation.counted,
        "evaluations": {
            name: {"outcome": Outcome.SCORED if reason is None else Outcome.SKIPPED, "reason": reason}
            for name, reason in explanation.evaluations.items()
        },
    }


def _show(found: Iterable[Explanation]) -> None:
    console = Console(highlight=False)
    count = 0
    for count, explanation in enumerate(found, 1):  # noqa: B007 (the last one is the number of all)
        title = f"{explanation.span_name}  trace {explanation.trace_id}  span {explanation.span_id}"
        console.print(Text(visible(title), style="bold" if explanation.counted else "bold dim"), soft_wrap=True)
        table = Table.grid(padding=(0, 2))
        table.add_column(style="cyan", no_wrap=True, min_width=14)
        table.add_column(overflow="fold")
        for name, value in _lines(explanation):
            table.add_row(f"  {name}", Text(visible(shortened(value, _SHOWN_CHARACTERS))))
        console.print(table)
        console.print()
    if not count:
        console.print("No span here holds, or could have held, an answer.")


def _lines(explanation: Explanation) -> Iterator[tuple[str, str]]:
    """Yield what is shown of a span: a name and a text each."""
    yield "convention", explanation.convention
    yield "read from", ", ".join(explanation.keys) or "nothing"
    yield "question", explanation.question or "none found"
    for answer in explanation.answers or ("",):
        yield "answer", answer or "none found"
    for document in explanation.documents:
        yield "document", f"{document.id}: {document.text or '(its text was not captured)'}"
    for name, reason in explanation.evaluations.items():
        yield name, "would be scored" if reason is None else _why(reason, explanation.duplicate_of)


def _why(reason: Reason, duplicate_of: str) -> str:
    return f"skipped: {reason}" + (f" of span {duplicate_of}" if duplicate_of else "")
