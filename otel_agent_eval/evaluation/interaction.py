"""What the gateway judges: one answer that somebody got, with everything needed to judge it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Part(StrEnum):
    """The parts of an interaction that an evaluator can need, and that a sender can have cut off."""

    QUESTION = "question"
    ANSWER = "answer"
    DOCUMENTS = "documents"


class Turn(NamedTuple):
    """One message of a conversation: who spoke (system, user, assistant, tool) and the text."""

    role: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A retrieved text that an answer can rest on.

    `id` is the sender's, or a position such as `"2"` where the sender gave none; `score` is the retriever's own, in
    whatever unit it uses; `span_id` (hex) names the span that retrieved it, `""` where it was pasted into a message.
    """

    id: str
    text: str
    score: float | None = None
    span_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """One answer that somebody got.

    Ids are lower-case hex; times are Unix nanoseconds; absent texts are empty strings. `choice` numbers the choices of
    one response from 0. `grounding` holds what the user and the system instructions stated: it supports an answer as
    documents do. `truncated` names the parts that the sender cut; `by_reference` says that the content lies elsewhere.
    """

    answer: str
    question: str = ""
    turns: tuple[Turn, ...] = ()
    documents: tuple[Document, ...] = ()
    grounding: tuple[str, ...] = ()
    trace_id: str = ""
    span_id: str = ""
    choice: int = 0
    start_time: int = 0
    end_time: int = 0
    service: str = ""
    agent: str = ""
    conversation: str = ""
    model: str = ""
    response_id: str = ""
    segments: Mapping[str, str] = field(default_factory=dict)
    convention: str = ""
    keys: tuple[str, ...] = ()
    truncated: frozenset[Part] = frozenset()
    by_reference: bool = False
