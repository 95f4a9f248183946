"""Rows of question, contexts and answer in JSON lines, each on its own: a bad one harms no other."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, NoReturn

from otel_agent_eval.evaluation import Document, Interaction

MAX_LINE = 32 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """One line: its own fields, and what is to be judged, or (`error`) why it cannot be read."""

    line: int
    fields: dict[str, Any]
    interaction: Interaction | None = None
    error: str = ""
    size: int = field(default=0, compare=False)


def read_rows(file: IO[bytes]) -> Iterator[Row]:
    """Yield a row for each line that is not empty, in order. Holds one line at a time, of at most `MAX_LINE` bytes."""
    number = 0
    while line := file.readline(MAX_LINE):
        number += 1
        size = len(line)
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            while (rest := file.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                size += len(rest)
            yield Row(number, {}, error=f"longer than {MAX_LINE >> 20} MiB", size=size + len(rest))
        elif line.strip():
            yield _row(number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)


def _row(number: int, line: bytes) -> Row:
    size = len(line)
    try:
        fields = json.loads(line, parse_constant=_not_json)
    except (
        ValueError,
        RecursionError,
    ) as error:  # besides JSON's own errors: not UTF-8, absurdly long numbers, nesting
        message = f"not JSON: {str(error)[:200]}"
        return Row(number, {"raw": line.decode("utf-8", "replace").rstrip("\r\n")}, error=message, size=size)
    if not isinstance(fields, dict):
        return Row(number, {"raw": fields}, error="expected an object {id, question, contexts, answer}", size=size)
    try:
        return Row(number, fields, _interaction(fields), size=size)
    except ValueError as error:
        return Row(number, fields, error=str(error), size=size)


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _interaction(fields: dict[str, Any]) -> Interaction:
    """Make the interaction of a row. Raises ValueError naming the field that has the wrong type."""
    return Interaction(
        question=_text(fields.get("question"), "question"),
        answer=_text(fields.get("answer"), "answer"),
        documents=_documents(fields.get("contexts")),
    )


def _documents(contexts: object) -> tuple[Document, ...]:
    """Read contexts: a text, or a list of texts or of objects {id, text}; ids default to the position, from 1."""
    if contexts is None:
        return ()
    items = [contexts] if isinstance(contexts, str) else contexts
    if not isinstance(items, list):
        raise ValueError("contexts: expected a list of texts")  # noqa: TRY004 (ValueError is what bad rows raise)
    return tuple(_document(item, position) for position, item in enumerate(items))


def _document(item: object, position: int) -> Document:
    name = f"contexts[{position}]"
    if not isinstance(item, dict):
        return Document(id=str(position + 1), text=_text(item, name))
    given = item.get("id")
    if given is not None and not isinstance(given, str | int):
        raise ValueError(f"{name}.id: expected text or a number")
    return Document(id=str(position + 1 if given is None else given), text=_text(item.get("text"), f"{name}.text"))


def _text(value: object, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name}: expected text")  # noqa: TRY004 (as above)
    return value.encode("utf-8", "replace").decode()  # half a surrogate pair is no character
