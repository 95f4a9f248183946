"""What was asked: the question, the turns before it, and what user and system stated, without pasted documents."""

from collections.abc import Sequence
from typing import NamedTuple

from otel_agent_eval.assembly.pasted import Stuffed, take_apart
from otel_agent_eval.assembly.texts import comparable, is_data
from otel_agent_eval.assembly.trace import HIDDEN, WRAPPERS, Node, ancestors, descendants, last_user_turn
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.evaluation.interaction import Turn


class Asked(NamedTuple):
    """What an answer answers. `pasted` holds the texts that were stuffed into the messages of this turn."""

    question: str = ""
    turns: tuple[Turn, ...] = ()
    grounding: tuple[str, ...] = ()
    pasted: tuple[str, ...] = ()


def asked_of(node: Node, queries: Sequence[str]) -> Asked:
    """Say what a span was asked. `queries` are those of the retrievals that belong to it.

    The last user turn counts; where that is a stuffed template, the question is the one of the enclosing chain, of
    the template's variable or of the retrieval that stands in it, or what follows its own mark.
    """
    extract = node.extract
    if extract is None:
        return Asked()
    at, message = last_user_turn(extract.turns)
    stuffed = take_apart(message)
    enclosing = _enclosing_questions(node)
    if at < 0:
        stated = extract.question if not is_data(extract.question) else ""
        question = next((text for text in (stated, *enclosing, *queries) if text), "")
    else:
        question = _unstuffed(message, stuffed, [extract.question, *enclosing], queries)
    systems = [take_apart(turn.text) for turn in extract.turns if turn.role == "system" and turn.text]
    users = [turn.text for turn in extract.turns[: max(at, 0)] if turn.role == "user" and turn.text]
    own = question if stuffed.pasted or question != message else message
    grounding = [*(system.rest for system in systems), *users, own, stuffed.rest if stuffed.pasted else ""]
    return Asked(
        question=question,
        turns=extract.turns[: max(at, 0)],
        grounding=tuple(dict.fromkeys(text for text in grounding if text)),
        pasted=tuple(text for found in (*systems, stuffed) for text in found.pasted),
    )


def last_call_below(node: Node) -> Node | None:
    """Return the model call of a wrapper that ended last; None for a model call."""
    if node.role is Role.LLM:
        return None
    calls = [n for n in descendants(node, into=lambda n: n.role not in HIDDEN) if n.role is Role.LLM]
    return max(calls, key=lambda n: (n.end, n.span_id), default=None)


def nearest_conversation(node: Node) -> str:
    """Return the conversation that a span or its nearest ancestor with one names, or ""."""
    return next((e.conversation for e in _with_ancestors(node) if e.conversation), "")


def nearest_agent(node: Node) -> str:
    """Return the agent that a span or its nearest ancestor with one names, or ""."""
    for extract in _with_ancestors(node):
        if extract.agent:
            return extract.agent
    return next((above.name for above in ancestors(node) if above.role is Role.AGENT), "")


def _with_ancestors(node: Node) -> list[Extract]:
    return [n.extract for n in (node, *ancestors(node)) if n.extract is not None]


def _enclosing_questions(node: Node) -> list[str]:
    """Return the questions of the chains and agents around a span, the nearest first."""
    found = []
    for above in ancestors(node):
        if above.extract is not None and above.role in WRAPPERS:
            text = last_user_turn(above.extract.turns)[1] or above.extract.question
            if text and not is_data(text):
                found.append(text)
    return found


def _unstuffed(message: str, stuffed: Stuffed, stated: Sequence[str], queries: Sequence[str]) -> str:
    """Return the question in a user message: the whole message, unless it is a template around a stated question.

    Without a mark of pasted text the question must be a whole line of the message, or all that follows its label.
    """
    flat = comparable(message)
    lines = {comparable(part) for line in message.splitlines() for part in (line, line.partition(": ")[2])}
    for text in (*stated, *queries) if stuffed.pasted else stated:
        short = comparable(text)
        if short and short != flat and short in flat and (stuffed.pasted or (short in lines and len(lines) > 1)):
            return text
    return stuffed.question if stuffed.pasted and stuffed.question else message
