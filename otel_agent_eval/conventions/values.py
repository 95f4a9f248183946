"""Values as senders write them: JSON inside strings, JSON cut in the middle, Python reprs, placeholders."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from otel_agent_eval.conventions.reprs import read_objects, read_repr

Json = Any
"""Whatever JSON or an attribute can hold, not yet looked at."""

_MAX_UNWRAPS = 4  # JSON strings inside JSON strings; senders were seen to nest two
_MAX_REPAIR = 1 << 20  # characters; limits that cut attributes are far smaller
_MAX_REPR = 1 << 18

_ABSENT = frozenset(
    {
        "",
        "{}",
        "[]",
        "''",
        "n/a",
        "null",
        "none",
        "undefined",
        "<not specified>",
        "__end__",  # LangGraph's name for where a graph ends
        "<not serializable>",
        "<unserializable>",
        "__redacted__",
        "[redacted]",
        "<redacted>",
        "[content redacted]",
        "my-original-response",  # what LiteLLM writes where it has none
    }
)
_REPR = re.compile(r"<[A-Za-z_][\w.]*(?:\(| object\b|: )")  # `<NodeWithScore(...)>`, `<generator object f at 0x7f>`
_HASHED = re.compile(r"hmac-sha256:[0-9a-f]{64}")  # what another gateway's redaction leaves
_LONGEST_ABSENT = max(map(len, _ABSENT)) + 2

_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*'  # without the closing quote
_TOKEN = re.compile(_STRING + r'(?:"|\\?\Z)|[\[\]{}:,]', re.DOTALL)
_CUT_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_CLOSERS = {"{": "}", "[": "]"}
# A string that nothing closes is read to its end, or each quote in it would be tried as the beginning of one.
_REPR_TOKEN = re.compile(
    r"'[^'\\]*(?:\\.[^'\\]*)*(?:'|\\?\Z)|\"[^\"\\]*(?:\\.[^\"\\]*)*(?:\"|\\?\Z)|\b(?:None|True|False)\b", re.DOTALL
)
_REPR_NAMES = {"None": "null", "True": "true", "False": "false"}
_REPR_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)

# What exporters append where they cut.
_CUT_MARK = re.compile(r"(?:\.{3}|…|[\[(<])\s*(?:content |text |output )?truncated\b[^\n]{0,40}\Z", re.IGNORECASE)
# Limits in use: powers of two and round thousands, New Relic's 4095, and one less for a terminating byte.
_COMMON_LIMITS = frozenset(
    {128, 256, 512, 1000, 1024, 2000, 2048, 4000, 4095, 4096, 5000, 8000, 8191, 8192}
    | {10_000, 12_000, 16_000, 16_383, 16_384, 32_000, 32_766, 32_767, 32_768, 50_000, 65_535, 65_536, 100_000}
)
_SENTENCE_END = tuple(".!?…)]}\"'`*。！？」』”’>")  # noqa: RUF001 (Chinese, Japanese and typographic ends)


class Decoded(NamedTuple):
    """A value with its JSON strings unwrapped; `truncated` where the sender cut the JSON and it had to be repaired."""

    value: Json
    truncated: bool = False


def decode(value: Json) -> Decoded:
    """Unwrap a string that holds JSON (encoded up to four times), cut JSON, or the repr of a list, a dict or a message.

    Anything else, plain text included, comes back as it is.
    """
    truncated = False
    for _ in range(_MAX_UNWRAPS):
        if not isinstance(value, str):
            break
        found = _parse(value)
        if found is None:
            break
        value, cut = found
        truncated = truncated or cut
    return Decoded(value, truncated)


def is_absent(value: Json) -> bool:
    """Say whether a value stands for nothing: None, an empty string or collection, or a placeholder."""
    if isinstance(value, str):
        if value[:1] == "<" and value[-1:] == ">" and _REPR.match(value):
            return True  # an object that the sender could not serialise
        if value[:1] == "h" and _HASHED.fullmatch(value):
            return True
        return len(value) <= _LONGEST_ABSENT and value.strip().strip('"').lower() in _ABSENT
    return value is None or (isinstance(value, list | Mapping) and not value)


def text(value: Json) -> str:
    """Give a value as text: strings as they are, placeholders as `""`, everything else as JSON."""
    if is_absent(value):
        return ""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bytes):
        return clean(value.decode("utf-8", "replace"))
    try:
        return clean(json.dumps(value, ensure_ascii=False, default=str))
    except (ValueError, TypeError, RecursionError):
        return ""


def clean(string: str) -> str:
    """Join surrogate pairs and replace lone surrogates: JSON can hold them, UTF-8 cannot."""
    try:
        string.encode()
    except UnicodeEncodeError:
        return string.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return string


def number(value: Json) -> float | None:
    """Give a finite number, also where the sender wrote it as a string; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < float("inf") else None


def cut_length(attributes: Mapping[str, Any]) -> int:
    """Return the length at which the sender cuts strings, 0 if it shows no sign of doing so.

    The sign is JSON that opens and does not close, as long as the longest string of the span.
    """
    strings = [value for value in attributes.values() if isinstance(value, str)]
    longest = max(map(len, strings), default=0)
    for string in strings:
        if len(string) == longest and string[:1] in _CLOSERS and string.rstrip()[-1:] != _CLOSERS[string[0]]:
            return longest
    return 0


def looks_cut(string: str, limit: int = 0) -> bool:
    """Say whether a plain text seems to have been cut in telemetry.

    It is where it ends in an exporter's mark (`...[truncated]`), has exactly the length `limit` at which this sender
    was seen to cut, or has exactly the length of a limit in common use and ends in mid-sentence.
    """
    if _CUT_MARK.search(string, max(0, len(string) - 80)):
        return True
    if limit and len(string) == limit:
        return True
    if string.endswith(_SENTENCE_END):
        return False
    return len(string) in _COMMON_LIMITS or (
        not string.isascii() and len(string) < max(_COMMON_LIMITS) and len(string.encode()) in _COMMON_LIMITS
    )


def _parse(string: str) -> Decoded | None:  # noqa: PLR0911 (one for each shape)
    """Parse one layer of JSON; None where the string is plain text."""
    stripped = string.strip()
    first = stripped[:1]
    if first not in {"{", "[", '"'}:
        return _parsed(read_repr(stripped))
    try:
        return Decoded(json.loads(stripped))
    except json.JSONDecodeError as error:
        # Only what goes wrong at the very end can be a cut; a partial literal is at most four characters long.
        at_end = error.pos >= len(stripped) - 5 or error.msg.startswith("Unterminated string")
    except (ValueError, RecursionError):
        return None
    if first == '"':
        return None  # a quotation, not JSON
    if at_end and len(stripped) <= _MAX_REPAIR:
        repaired = _repair(stripped)
        if repaired is not None:
            return Decoded(repaired, truncated=True)
    if len(stripped) <= _MAX_REPR and (stripped[1:2] == "'" or stripped[:3] == "[{'"):
        return _parse_repr(stripped) or _parsed(read_objects(stripped))
    return None


def _parsed(found: Json) -> Decoded | None:
    return Decoded(found) if found is not None else None


def _repair(string: str) -> Json | None:
    """Close JSON that was cut anywhere, dropping what of its last element cannot be known."""
    closers: list[str] = []
    previous, last, end = "", "", 0  # the two structural tokens before the cut, and where the last one ends
    for match in _TOKEN.finditer(string):
        token = match.group()
        if token in _CLOSERS:
            closers.append(_CLOSERS[token])
        elif token in {"}", "]"} and (not closers or closers.pop() != token):
            return None
        previous, last, end = last, token, match.end()
    if not closers:
        return None
    in_object = closers[-1] == "}"
    kept = _without_tail(string[:end], last, is_key=in_object and previous in {"{", ","})
    try:
        return json.loads(kept + "".join(reversed(closers)))
    except (ValueError, RecursionError):
        return None


def _without_tail(kept: str, last: str, *, is_key: bool) -> str:
    """End JSON after its last whole element; a string that is a value is kept as far as it goes."""
    if last == ":":
        return kept + "null"
    if last == ",":
        return kept[:-1]
    if not last.startswith('"'):
        return kept
    if is_key:  # without its value, be it whole or cut
        return kept[: -len(last)].rstrip().removesuffix(",")
    if len(last) == 1 or not last.endswith('"') or _ends_in_escaped_quote(last):
        return _CUT_ESCAPE.sub("", kept) + '"'
    return kept


def _ends_in_escaped_quote(token: str) -> bool:
    body = token[:-1]
    return (len(body) - len(body.rstrip("\\"))) % 2 == 1


def _parse_repr(string: str) -> Decoded | None:
    """Read the repr of a Python list or dict, which some senders write instead of JSON."""
    try:
        return Decoded(json.loads(_REPR_TOKEN.sub(_repr_to_json, string)))
    except (ValueError, RecursionError):
        return None


def _repr_to_json(match: re.Match[str]) -> str:
    token = match.group()
    if token in _REPR_NAMES:
        return _REPR_NAMES[token]
    body = _REPR_ESCAPE.sub(_repr_escape, token[1:-1])
    return json.dumps(body)


def _repr_escape(match: re.Match[str]) -> str:
    escape = match.group(1)
    if escape[0] in "xu" and len(escape) > 1:
        return chr(int(escape[1:], 16))
    return {"n": "\n", "t": "\t", "r": "\r"}.get(escape, escape)
