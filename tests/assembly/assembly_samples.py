"""Spans as assembly sees them, in a few words; and an assembler that needs no clock."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from otel_agent_eval.assembly.assembler import Assembler, Limits
from otel_agent_eval.assembly.candidate import Candidate
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.span import EventView, SpanView
from otel_agent_eval.evaluation.interaction import Document, Interaction, Turn

MS = 1_000_000


class _Id(bytes):
    """An id whose hex form is a readable name."""

    def __new__(cls, name: str) -> Self:
        made = super().__new__(cls, name.encode())
        made.name = name
        return made

    def hex(self, *_: Any) -> str:
        return self.name


class Sample(NamedTuple):
    """A span with what a reader found in it; plain where that is None."""

    view: SpanView
    extract: Extract | None


def span(  # noqa: PLR0913 (a builder: each test names the few that matter)
    span_id: str,
    role: Role | None,
    parent: str = "",
    *,
    at: tuple[int, int] = (0, 1000),
    trace: str = "trace",
    scope: str = "scope",
    name: str = "",
    failed: bool = False,
    attributes: Mapping[str, Any] | None = None,
    resource: Mapping[str, Any] | None = None,
    **found: Any,
) -> Sample:
    """Make a span that lasts from `at[0]` to `at[1]` milliseconds; `found` are fields of its Extract."""
    view = SpanView(
        trace_id=trace,
        span_id=span_id,
        parent_id=parent,
        name=name or span_id,
        kind=1,
        start_time=at[0] * MS,
        end_time=at[1] * MS,
        failed=failed,
        scope=scope,
        scope_version="1",
        attributes=attributes or {},
        resource=resource or {"service.name": "shop"},
    )
    if role is None:
        return Sample(view, None)
    if role is Role.LLM and found.get("answers"):
        found.setdefault("output_captured", True)
    return Sample(view, Extract(convention="sample", role=role, **found))


def llm(
    span_id: str, parent: str = "", *, at: tuple[int, int], asked: str = "", answer: str = "", **found: Any
) -> Sample:
    """Make a model call with one user turn and one answer, either of which may be absent."""
    found.setdefault("turns", (Turn("user", asked),) if asked else ())
    found.setdefault("answers", (answer,) if answer else ())
    return span(span_id, Role.LLM, parent, at=at, **found)


def retriever(span_id: str, parent: str = "", *texts: str, at: tuple[int, int], **found: Any) -> Sample:
    """Make a span that retrieved the texts."""
    found.setdefault("documents", documents(*texts))
    return span(span_id, found.pop("role", Role.RETRIEVER), parent, at=at, **found)


def documents(*texts: str) -> tuple[Document, ...]:
    """Make documents with positions as ids, as readers do."""
    return tuple(Document(id=str(at), text=text) for at, text in enumerate(texts))


def put(assembler: Assembler, samples: Iterable[Sample], now: float = 0.0) -> list[str]:
    """Add spans and return the ids of those that are to be held."""
    held = []
    for view, extract in samples:
        if extract is None:
            assembler.add_link(_Id(view.trace_id), _Id(view.span_id), _Id(view.parent_id), now)
        elif assembler.add_span(view, extract, now):
            held.append(view.span_id)
    return held


def new_assembler(limits: Limits | None = None, **options: Any) -> Assembler:
    """Make an assembler for samples: what is read again is what the log records say."""
    options.setdefault("in_logs", lambda view: view.attributes.get("in_logs") is True)
    options.setdefault("reader", read_events)
    return Assembler(limits or Limits(), **options)


def assembled(*samples: Sample, **options: Any) -> dict[str, Candidate]:
    """Assemble spans that came in one request; the candidates by span id, without mere steps."""
    assembler = new_assembler(**options)
    put(assembler, samples)
    return by_span(assembler.flush())


def by_span(candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    """Map span ids to candidates, leaving out the spans that turned out to be mere steps."""
    assert len({c.span_id for c in candidates}) == len(candidates)
    return {c.span_id: c for c in candidates if c.interactions or c.skipped}


def counted(candidates: Mapping[str, Candidate]) -> set[str]:
    """Name the spans whose answers are evaluated."""
    return {span_id for span_id, candidate in candidates.items() if candidate.skipped is None}


def only(candidate: Candidate) -> Interaction:
    """Return the one interaction of a candidate."""
    (interaction,) = candidate.interactions
    return interaction


def texts(candidate: Candidate) -> list[str]:
    """Return the texts of the documents of a candidate's one interaction."""
    return [document.text for document in only(candidate).documents]


def read_events(view: SpanView) -> Extract:
    """Read a span whose content is in events named `asked` and `answered`."""
    asked = tuple(Turn("user", str(e.body)) for e in view.events if e.name == "gen_ai.user.message")
    answers = tuple(str(e.body) for e in view.events if e.name == "gen_ai.choice")
    return Extract(
        convention="sample", role=Role.LLM, turns=asked, answers=answers, output_captured=bool(answers), keys=("body",)
    )


def said(name: str, text: str, time: int = 0) -> EventView:
    """Make a log record that holds one message."""
    return EventView(name, {}, text, time)
