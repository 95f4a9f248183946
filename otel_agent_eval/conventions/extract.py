"""What a reader finds in a span: who acts in it, what was asked, answered and retrieved."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.evaluation.interaction import Document, Part, Turn


class Role(StrEnum):
    """What a span does, in whatever words its convention says so."""

    LLM = "llm"
    AGENT = "agent"
    CHAIN = "chain"  # chains, workflows, tasks: anything that wraps other steps
    RETRIEVER = "retriever"
    RERANKER = "reranker"
    MEMORY = "memory"
    TOOL = "tool"
    EMBEDDING = "embedding"
    PROMPT = "prompt"  # a template being filled
    GUARDRAIL = "guardrail"
    EVALUATOR = "evaluator"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """What one convention says about one span.

    - `turns`: the messages that went in, in order; tool results carry the role `tool`.
    - `question`: stated apart from messages (a chain's input, a retrieval query), else `""`.
    - `answers`: the text shown, one for each choice that has text; reasoning parts and tool calls are left out.
    - `tool_call`: the output asks for tools. `media`: modalities in input or output that are named, not scored.
    - `documents`: what a retriever, reranker, memory or tool span returned; a text of `""` means that only the id came.
    - `variables`: values filled into a prompt template, by name.
    - `keys`: the attribute, event or log names that the content was read from.
    - `output_captured`: the sender recorded output content here, be it empty, or a tool call.
    """

    convention: str
    role: Role = Role.OTHER
    keys: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()
    question: str = ""
    answers: tuple[str, ...] = ()
    documents: tuple[Document, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    tool_call: bool = False
    tool_name: str = ""
    media: tuple[str, ...] = ()
    truncated: frozenset[Part] = frozenset()
    by_reference: bool = False
    output_captured: bool = False
    model: str = ""
    agent: str = ""
    conversation: str = ""
    response_id: str = ""


Reader = Callable[[SpanView], Extract | None]
"""A pure function that never raises: None where the span does not speak its convention."""
