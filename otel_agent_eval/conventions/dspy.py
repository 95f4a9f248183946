"""DSPy's prompts: fields between marks (`[[ ## question ## ]]`), whichever instrumentation recorded the model call."""

import re
from collections.abc import Mapping
from dataclasses import replace

from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.inputs import answer_in, question_variable
from otel_agent_eval.conventions.values import text
from otel_agent_eval.evaluation.interaction import Document, Turn

_MARK = "[[ ## "
_SPLIT = re.compile(r"^\[\[ ## (\w+) ## \]\][ \t]*$", re.MULTILINE)
_INSTRUCTION = "Respond with the corresponding output fields"
_OBJECTIVE = "your objective is:"
_PASSAGE = re.compile(r"^\[\d+\] «(.*?)»$", re.MULTILINE | re.DOTALL)
_CONTEXTS = frozenset(
    {"context", "contexts", "passages", "documents", "docs", "retrieved_passages", "retrieved_context"}
)
_NOT_SHOWN = frozenset({"reasoning", "rationale", "completed", "next_thought", "trajectory"})
_TOOL = "next_tool_name"


def without_marks(extract: Extract) -> Extract:
    """Give a model call of DSPy without the marks: the question, the passages, and the fields that were shown."""
    if extract.role is not Role.LLM or not any(_MARK in part for part in _texts(extract)):
        return extract
    answers = [_fields(answer) for answer in extract.answers]
    last = next((turn.text for turn in reversed(extract.turns) if turn.role == "user"), "")
    asked = _fields(last)
    return replace(
        extract,
        turns=tuple(turn for turn in map(_turn, extract.turns) if turn.text),
        question=extract.question or _question(asked),
        answers=tuple(shown for fields in answers if (shown := _shown(fields))),
        documents=extract.documents or tuple(_passages(asked)),
        tool_call=extract.tool_call or any(_TOOL in fields for fields in answers),
    )


def _texts(extract: Extract) -> list[str]:
    return [*extract.answers, *(turn.text for turn in extract.turns)]


def _fields(message: str) -> Mapping[str, str]:
    """Split a message at its marks; text without any stands under the name ""."""
    pieces = _SPLIT.split(message)
    if len(pieces) == 1:
        return {"": message}
    found = {
        name: value.partition(_INSTRUCTION)[0].strip() for name, value in zip(pieces[1::2], pieces[2::2], strict=True)
    }
    return {name: value for name, value in found.items() if value}


def _question(fields: Mapping[str, str]) -> str:
    given = {name: value for name, value in fields.items() if name and name not in _CONTEXTS}
    return question_variable(given) or (next(iter(given.values())) if len(given) == 1 else "")


def _shown(fields: Mapping[str, str]) -> str:
    if _TOOL in fields:
        return ""
    shown = {name: value for name, value in fields.items() if name not in _NOT_SHOWN}
    return next(iter(shown.values())) if len(shown) == 1 else answer_in(shown) or text(shown)


def _passages(fields: Mapping[str, str]) -> list[Document]:
    found = [value for name, value in fields.items() if name in _CONTEXTS]
    passages = [passage for value in found for passage in _PASSAGE.findall(value) or [value]]
    return [Document(id=str(at), text=passage) for at, passage in enumerate(passages)]


def _turn(turn: Turn) -> Turn:
    if _MARK not in turn.text:
        return turn
    if turn.role == "system":
        return Turn(turn.role, turn.text.partition(_OBJECTIVE)[2].strip())
    fields = _fields(turn.text)
    return Turn(turn.role, _shown(fields) if turn.role == "assistant" else _question(fields) or turn.text)
