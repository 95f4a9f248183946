"""Retrieved texts that are pasted into a prompt: in a template's variable, or between the marks of a message."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

_NAMES: Final = (
    r"context|contexts|documents?|docs|passages?|sources?|chunks?|snippets?|excerpts?|references?|evidence|"
    r"knowledge(?:[ _]base)?|search[ _]results?|retrieved[ _]\w+|facts|articles?|summaries"
)
_VARIABLE = re.compile(rf"(?:\w+_)?(?:{_NAMES})(?:_str|_text|_list|_data)?", re.IGNORECASE)
_TAG = re.compile(rf"<(?P<tag>{_NAMES})>(?P<body>.*?)(?:</(?P=tag)>|\Z)", re.IGNORECASE | re.DOTALL)
_INDENT = r"^[ \t#*>]*"
_NAME = re.compile(rf"\b(?:{_NAMES})\b", re.IGNORECASE)
_OPENS_BLOCK = re.compile(r"[^\n:]{0,80}:[ \t*]*(?:\n|\Z)")  # Answer only from this context:
_OPENS_LINE = re.compile(r"[*]*[ \t]*:[ \t*]*")  # Context: Paris is the capital of France. Question: ...
_BEFORE_LINE = re.compile(
    r"(?:\A[ \t#*>]*|[.!?]\s+)(?:(?:the|retrieved|relevant|additional|new)\s+){0,2}\Z", re.IGNORECASE
)
_OPENS_BELOW = re.compile(r"\b(?:following|below)\b", re.IGNORECASE)  # Use the following pieces of context to answer.
_MIN_LETTERS = 8  # of what was pasted; less is a mark of the prompt itself
_MAX_MESSAGE = 4 << 20  # characters; searching longer ones would hold up everything else
_MAX_NAMES = 64  # words that could open pasted text, looked at in one message
_MAX_LEAD = 120  # characters before such a word in its line
_MAX_LINE = 2_000  # characters of a line in which a promise is looked for
# Possessive, as it is tried on any text: to take less of a rule of dashes can only fail again.
_FENCE = re.compile(r"\s*^[ \t]*([-=#*~`]{3,}+)[^\n]*+\n(?P<body>.*?)(?:^[ \t]*\1[^\n]*$|\Z)", re.DOTALL | re.MULTILINE)
_END = re.compile(
    rf"(?:{_INDENT}|(?<=[.!?]\s))(?:question|query)[*]*\s*:"
    rf"|{_INDENT}(?:(?:user|human|customer|current|new|original|my|the|follow[- ]?up)[ '\w]{{0,20}})?"
    r"(?:question|query|questions|answer|input|request|message|instructions?|task|chat history|conversation|user"
    r"|human)\b[^\n:]{0,40}:"
    r"|^[ \t]*(?:given|using|based on|according to|answer|use|respond|reply|please)\b[^\n]{0,120}"
    r"\b(?:context|documents?|sources?|information|passages?|question|query|above)\b"
    r"|^[ \t]*provide your\b[^\n:]{0,40}:",  # CrewAI
    re.IGNORECASE | re.MULTILINE,
)
_QUESTION = re.compile(
    rf"(?:{_INDENT}(?:[\w' -]{{0,30}}\b)?|(?<=[.!?]\s))(?:question|query|user input|user message)\b[*]*\s*:[ \t*]*"
    r"(?P<body>.+?)"
    r"(?=^[ \t#*>]*(?:(?:your|helpful|final|the|original)\s+)?(?:answer|response|output|assistant)\b[^\n]{0,30}:|\Z)",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)


class Stuffed(NamedTuple):
    """A message taken apart: the texts pasted into it, the question it ends with (or ""), and what is left."""

    pasted: tuple[str, ...]
    question: str
    rest: str


def take_apart(message: str) -> Stuffed:
    """Find what is pasted into a message, between tags or after a heading such as `Context:`.

    A message of more than four million characters is left whole.
    """
    if len(message) > _MAX_MESSAGE:
        return Stuffed((), "", message)
    tagged = list(_TAG.finditer(message))
    if tagged:
        pasted = tuple(body for found in tagged if (body := found["body"].strip()))
        rest = _TAG.sub("\n", message).strip()
        return Stuffed(pasted, _question(rest), rest)
    opened = _opening(message)
    if opened is None:
        return Stuffed((), "", message)
    before, at = opened
    fenced = _FENCE.match(message, at)
    end = _END.search(message, at)
    if fenced:
        body, after = fenced["body"], message[fenced.end() :]
    elif end:
        body, after = message[at : end.start()], message[end.start() :]
    else:
        body, after = _split_question(message[at:])
    body = body.strip()
    if sum(map(str.isalpha, body[: _MIN_LETTERS * 8])) < _MIN_LETTERS:
        return Stuffed((), "", message)
    rest = (message[:before].rstrip() + "\n" + after).strip()
    bare = "" if fenced or end else after.strip()
    return Stuffed((body,), _question(rest) or bare, rest)


def _opening(message: str) -> tuple[int, int] | None:
    """Find where pasted text is announced and where it begins; a line that only promises it counts last."""
    promised = None
    for _, name in zip(range(_MAX_NAMES), _NAME.finditer(message), strict=False):
        line = message.rfind("\n", 0, name.start()) + 1
        lead = message[line : name.start()]
        if len(lead) <= _MAX_LEAD and (block := _OPENS_BLOCK.match(message, name.end())):
            return line, block.end()
        inline = _OPENS_LINE.match(message, name.end())
        if inline and (start := _BEFORE_LINE.search(lead[-_MAX_LEAD:])):
            return name.start() - len(start[0].lstrip(".!? \t")), inline.end()
        end = message.find("\n", name.end())
        if (
            promised is None
            and end > 0
            and len(lead) <= _MAX_LEAD
            and _OPENS_BELOW.search(message, line, min(end, line + _MAX_LINE))
        ):
            promised = line, end + 1
            if _FENCE.match(message, end + 1):
                break
    return promised


def pasted_variables(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the texts of the template variables that are named like retrieved context."""
    return tuple(text for name, text in variables.items() if text and _VARIABLE.fullmatch(name))


def pieces(text: str, count: int) -> tuple[str, ...]:
    """Cut a pasted text into its documents: lines where there are `count` of them, else paragraphs."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n|^[ \t]*[-=*]{3,}[ \t]*$", text, flags=re.MULTILINE)]
    paragraphs = [part for part in paragraphs if part]
    return tuple(lines if count > 1 and len(lines) == count and len(paragraphs) != count else paragraphs)


def _split_question(body: str) -> tuple[str, str]:
    """Split off a last line that asks: some templates end in the bare question."""
    before, _, last = body.rstrip().rpartition("\n")
    return (before, last) if before.strip() and last.endswith("?") else (body, "")


def _question(text: str) -> str:
    found = _QUESTION.search(text)
    return found["body"].strip() if found else ""
