"""Shows judged answers on the terminal, a line each as they come."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_agent_eval.evaluation.evaluation import Label, Outcome
from otel_agent_eval.exporters.console_rows import Row, Verdict, rows
from otel_agent_eval.exporters.exporter import Permanent
from otel_agent_eval.signals import Payload, Signal

_COLUMNS = ("toxicity", "faithfulness", "relevance")
_CLOCK_WIDTH = 8
_AGENT_WIDTH, _WIDE_AGENT_WIDTH = 14, 26
_NARROW_VERDICT_WIDTH, _VERDICT_WIDTH = 12, 14
_WIDE, _VERY_WIDE = 110, 150
_HEADER_EVERY = 40
_STYLES = {Label.PASS.value: "green", Label.FAIL.value: "bold red"}
_PLAIN_TEXT_LIMIT = 120
_ELSEWHERE = "(in log records)"
"""In place of texts that were judged but are not on their span."""


class PipeSafeConsole(Console):
    """A console that says when nobody reads it any more; rich's own ends the process."""

    def on_broken_pipe(self) -> None:
        """Called within the handling of the error."""
        raise  # noqa: PLE0704 (the error being handled)


class ConsoleExporter:
    """Prints a table on a terminal, plain lines elsewhere. Only traces are shown; what is not judged is not."""

    signals = frozenset({Signal.TRACES})

    def __init__(self, name: str = "console", console: Console | None = None) -> None:
        self.name = name
        self._console = console or PipeSafeConsole()
        self._printed = 0
        self._turn = asyncio.Lock()

    async def export(self, payload: Payload) -> int:
        """Print the request's judged answers; see `Exporter`."""
        try:
            found = rows(ExportTraceServiceRequest.FromString(payload.body))
        except DecodeError:
            raise Permanent("DecodeError") from None
        if found:
            async with self._turn:
                try:
                    await asyncio.to_thread(self._print, found)  # a reader that stops must not stop the gateway
                except OSError as error:
                    raise Permanent(type(error).__name__) from None
        return 0

    async def close(self) -> None:
        """Nothing is held open."""

    def _print(self, found: list[Row]) -> None:
        if not self._console.is_terminal:
            for row in found:
                self._console.print(Text(plain_line(row)), soft_wrap=True)
            return
        self._console.print(table(found, self._console.width, header=self._printed % _HEADER_EVERY == 0))
        self._printed += len(found)


def table(found: list[Row], width: int, *, header: bool) -> Table:
    """Lay out rows in columns whose widths depend on the terminal's only, so that tables printed in turn line up.

    A narrow terminal shows the answers without the questions.
    """
    with_question = width >= _WIDE
    texts = ("question", "answer") if with_question else ("answer",)
    agent_width = _WIDE_AGENT_WIDTH if width >= _VERY_WIDE else _AGENT_WIDTH
    verdict_width = _VERDICT_WIDTH if with_question else _NARROW_VERDICT_WIDTH
    left = width - _CLOCK_WIDTH - agent_width - len(_COLUMNS) * verdict_width - len(texts) - len(_COLUMNS) - 2
    result = Table(box=None, show_header=header, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    sizes = {"time": _CLOCK_WIDTH, "agent": agent_width, **dict.fromkeys(texts, max(8, left // len(texts)))}
    for title, size in (sizes | dict.fromkeys(_COLUMNS, verdict_width)).items():
        result.add_column(title, width=size, no_wrap=True, overflow="ellipsis")
    for row in found:
        asked, answered = _texts(row)
        question = [Text(asked, style="" if row.answer else "dim")] if with_question else []
        answer = Text(answered, style="dim" if not row.answer else "red" if row.label == Label.FAIL else "")
        cells = [_cell(row.verdicts.get(name)) for name in _COLUMNS]
        result.add_row(_clock(row.time), Text(row.agent or row.service), *question, answer, *cells)
        for note in _notes(row):
            result.add_row("", "", *[""] * len(question), note)
    return result


def plain_line(row: Row) -> str:
    """Write a row in one line."""
    shown = [(name, row.verdicts[name]) for name in _COLUMNS if name in row.verdicts] + list(_others(row))
    verdicts = "  ".join(f"{name}: {describe(verdict)}" for name, verdict in shown)
    who = "/".join(part for part in (row.service, row.agent) if part)
    asked, answered = _texts(row)
    texts = f"Q: {_short(asked)}  A: {_short(answered)}"
    return f"{_clock(row.time)}  {row.label or '-':4}  {who}  {verdicts}  {texts}"


def describe(verdict: Verdict) -> str:
    """Say in a few words how an evaluation ended."""
    if verdict.score is not None:
        categories = f" ({', '.join(verdict.categories)})" if verdict.categories else ""
        return f"{verdict.score:.2f} {verdict.label}{categories}"
    reason = verdict.reason if verdict.outcome == Outcome.FAILED else verdict.reason.replace("_", " ")
    return f"{verdict.outcome}: {reason}"


def _cell(verdict: Verdict | None) -> Text:
    if verdict is None:
        return Text("")
    if verdict.outcome == Outcome.FAILED:
        return Text(f"! {verdict.reason}", style="yellow")
    if verdict.score is None:
        return Text(verdict.reason.replace("_", " "), style="dim")
    return Text(f"{verdict.score:.2f} {verdict.label}", style=_STYLES.get(verdict.label, ""))


def _notes(row: Row) -> Iterator[Text]:
    """Give what has no column: the kinds of toxicity, and other evaluations that say something is wrong."""
    for name in _COLUMNS:
        if name in row.verdicts and row.verdicts[name].categories:
            yield Text(f"{name}: {', '.join(row.verdicts[name].categories)}", style="dim")
    for name, verdict in _others(row):
        yield Text.assemble((f"{name}: ", "dim"), _cell(verdict))


def _others(row: Row) -> Iterator[tuple[str, Verdict]]:
    """Give the evaluations without a column that say something is wrong."""
    for name, verdict in row.verdicts.items():
        if name not in _COLUMNS and (verdict.label == Label.FAIL or verdict.outcome == Outcome.FAILED):
            yield name, verdict


def _clock(nanoseconds: int) -> str:
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, UTC).astimezone().strftime("%H:%M:%S")
    except (OverflowError, ValueError, OSError):  # a sender's clock can say anything
        return "--:--:--"


def _texts(row: Row) -> tuple[str, str]:
    """Give the question and the answer. Where an answer was scored and is not on the span, log records held it."""
    if row.answer or all(verdict.score is None for verdict in row.verdicts.values()):
        return row.question, row.answer
    return row.question or _ELSEWHERE, _ELSEWHERE


def _short(text: str) -> str:
    return text if len(text) <= _PLAIN_TEXT_LIMIT else text[: _PLAIN_TEXT_LIMIT - 1] + "…"
