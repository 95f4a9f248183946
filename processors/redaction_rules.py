"""What is to become of an attribute, by its name and its kind of value."""

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final, NamedTuple

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from otel_agent_eval.conventions.content import ContentNames, Kind, pattern_of, remembered, speaks
from otel_agent_eval.processors.redaction_patterns import Pattern
from otel_agent_eval.processors.redaction_text import HASH_MARK, MASK

_HASHED: Final = re.compile(rf"{HASH_MARK}[0-9a-f]{{64}}")
OTHER_PARTS: Final = ("span.name", "span.status.message", "event.name", "log.body")
"""What rules can name beside attributes, by the very name."""
_NUMBERS: Final = frozenset({"bool_value", "int_value", "double_value", None})
_STRUCTURES: Final = frozenset({"kvlist_value", "bytes_value", "array_value"})


class Action(StrEnum):
    """What is done with a value."""

    REMOVE = "remove"
    HASH = "hash"
    MASK = "mask"
    KEEP = "keep"


class Bearer(Enum):
    """What an attribute stands on."""

    AGENT = auto()  # of an agent: a span, an event, a log record, an exemplar, or the resource or scope of any such
    OTHER = auto()
    DATA_POINT = auto()  # whose attributes tell series apart: only what surely is content is none of them
    AGENT_POINT = auto()  # one of a metric about agents


_POINTS: Final = frozenset({Bearer.DATA_POINT, Bearer.AGENT_POINT})


class Rule(NamedTuple):
    """What is done with the attributes of a name, in which `*` is any text; or with one of `OTHER_PARTS`."""

    key: str
    action: Action


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionRules:
    """What a destination is not to get.

    - `content`, `exceptions`: what is done with agents' texts, and with what is said of exceptions.
    - `attributes`: for single names; the first that fits decides, before everything else.
    - `allowed_keys`: the only names that stay, None for all.
    - `patterns`, `pattern_action`: what is looked for inside texts.
    - `key`: gives the secret of hashes of now, not empty where anything is hashed; raises where there is none to use.
    """

    content: Action = Action.REMOVE
    exceptions: Action = Action.REMOVE
    attributes: Sequence[Rule] = ()
    allowed_keys: Sequence[str] | None = None
    patterns: Sequence[Pattern] = ()
    pattern_action: Action = Action.MASK
    key: Callable[[], bytes] = bytes


class Hasher:
    """Puts in the place of a value what is the same for the same value, and says nothing to who lacks the key."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    def text(self, text: str) -> str:
        """Hash a text; what is a hash already stays as it is."""
        return text if _HASHED.fullmatch(text) else self._digest(text.encode("utf-8", "surrogatepass"))

    def value(self, value: AnyValue) -> str:
        """Hash a value of any type; a text has the hash that it has as a text."""
        if value.WhichOneof("value") == "string_value":
            return self.text(value.string_value)
        return self._digest(value.SerializeToString(deterministic=True))

    def instead(self, action: Action, text: str) -> str:
        """Return what an action puts in the place of a text."""
        if not text or action is Action.KEEP:
            return text
        if action is Action.REMOVE:
            return ""
        return self.text(text) if action is Action.HASH else MASK

    def _digest(self, data: bytes) -> str:
        return HASH_MARK + hmac.new(self._key(), data, hashlib.sha256).hexdigest()


class Decisions:
    """Says what is to be done with attributes."""

    def __init__(self, rules: RedactionRules, names: ContentNames) -> None:
        self._rules = rules
        self._names = names
        self._single = [(pattern_of([rule.key]), rule.action) for rule in rules.attributes]
        self._allowed = None if rules.allowed_keys is None else pattern_of(rules.allowed_keys)
        named = any(self.part(part) not in {None, Action.KEEP} for part in OTHER_PARTS)
        self._always = named or self._allowed is not None
        self._pieces = _pieces(rules.attributes)
        self._known = remembered(self._by_name)

    def may_name(self, raw: bytes) -> bool:
        """Say whether a rule for single names, or the list of allowed ones, may hold for anything in a request."""
        return self._always or any(piece in raw for piece in self._pieces)

    def part(self, name: str) -> Action | None:
        """Return what is done with a part that is no attribute, such as `span.name`; None where nothing is said."""
        return next((rule.action for rule in self._rules.attributes if rule.key == name), None)

    def attribute(self, name: str, value: AnyValue, bearer: Bearer) -> Action | None:
        """Return what is done with an attribute; None where nothing is said against it, nor for it."""
        action, kind = self._known(name)
        if action is not None:
            return action
        if kind is Kind.CONTENT or _may_speak(name, kind, value, bearer):
            return _said(self._rules.content)
        return _said(self._rules.exceptions) if kind is Kind.EXCEPTION and bearer not in _POINTS else None

    def _by_name(self, name: str) -> tuple[Action | None, Kind]:
        single = next((action for pattern, action in self._single if pattern.fullmatch(name)), None)
        if single is None and self._allowed is not None and not self._allowed.fullmatch(name):
            single = Action.REMOVE
        return single, self._names.kind(name)


def _may_speak(name: str, kind: Kind, value: AnyValue, bearer: Bearer) -> bool:
    """Say whether an attribute that is not content by its name may be by its value and by what bears it."""
    agents = bearer in {Bearer.AGENT, Bearer.AGENT_POINT}
    if kind is Kind.PLAIN:
        return agents and _is_structure(value)
    may = kind is Kind.UNKNOWN or (kind is Kind.BARE and agents)
    if bearer is Bearer.DATA_POINT:  # whose bare names are anybody's
        may = may and "." in name
    if bearer in _POINTS and not speaks(name):
        return may and _is_structure(value)
    return may and value.WhichOneof("value") not in _NUMBERS


def _is_structure(value: AnyValue) -> bool:
    """Say whether a value is more than a text, a number or a list of such: those who name things do not write it."""
    form = value.WhichOneof("value")
    if form == "array_value":
        return any(one.WhichOneof("value") in _STRUCTURES for one in value.array_value.values)
    return form in _STRUCTURES - {"array_value"}


def _said(action: Action) -> Action | None:
    """Of a whole kind of texts `keep` says nothing: patterns are still looked for in them."""
    return None if action is Action.KEEP else action


def _pieces(rules: Iterable[Rule]) -> frozenset[bytes]:
    """Return, for each rule that changes something, a piece that every name it fits must contain."""
    found = (max(rule.key.split("*"), key=len) for rule in rules if rule.action is not Action.KEEP)
    return frozenset(piece.encode() for piece in found)
