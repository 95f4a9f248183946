"""How a reader gathers what it finds, whatever its convention, before it becomes an Extract."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from otel_agent_eval.conventions.documents import documents_in, has_documents, tool_documents
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.flat import unflatten
from otel_agent_eval.conventions.inputs import answer_in, last_text, question_in, question_variable
from otel_agent_eval.conventions.messages import (
    ROLES,
    Message,
    input_turns,
    is_message,
    read_messages,
    read_request,
    read_response,
    read_system,
)
from otel_agent_eval.conventions.parts import is_part
from otel_agent_eval.conventions.values import Json, decode, is_absent, text
from otel_agent_eval.evaluation.interaction import Document, Part, Turn

_WRAPPERS = frozenset({Role.AGENT, Role.CHAIN, Role.OTHER})
_RETRIEVERS = frozenset({Role.RETRIEVER, Role.RERANKER, Role.MEMORY})
_MIN_PIECES, _MAX_PIECE = 8, 12
_WITHOUT_ANSWER = frozenset({Role.EMBEDDING, Role.EVALUATOR, Role.GUARDRAIL, Role.PROMPT})


@dataclass(slots=True)
class Draft:
    """The findings of one reader in one span, gathered key by key."""

    convention: str
    role: Role
    keys: list[str] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    question: str = ""
    answers: list[str] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    media: list[str] = field(default_factory=list)
    truncated: set[Part] = field(default_factory=set)
    tool_call: bool = False
    by_reference: bool = False
    output_captured: bool = False

    def system(self, key: str, value: Json) -> None:
        """Add system instructions, as the first turn."""
        decoded, cut = decode(value)
        found = [] if is_absent(value) else read_system(decoded)
        if found:
            self.turns[:0] = input_turns(found)
            self._read(key, Part.QUESTION if cut else None)

    def request(self, key: str, value: Json) -> None:
        """Add what went into a model."""
        decoded, cut = decode(value)
        found = [] if is_absent(value) else read_request(decoded)
        if found:
            self._add_input(found)
            self._read(key, Part.QUESTION if cut or any(m.truncated for m in found) else None)

    def response(self, key: str, value: Json) -> None:
        """Add what a model gave: each message a choice, or a conversation of which the last text is the answer."""
        decoded, cut = decode(value)
        if value is None or (is_absent(value) and decoded != []):
            return
        self.output_captured = True
        found = read_response(decoded)
        if not found and not isinstance(decoded, list):
            found = [Message("assistant", text(value))]  # structured output: the JSON is what was shown
        if any(message.role in {"user", "tool", "system"} or message.results for message in found):
            self._conversation(found)
        elif self.role in {Role.AGENT, Role.CHAIN}:
            self._answer(last_text(found, "assistant"))
        else:
            for message in _joined(found, in_pieces=_in_pieces(decoded)):
                self._answer(message.text)
        self._add_output_flags(found)
        self._read(key, Part.ANSWER if cut or any(m.truncated for m in found) else None)

    def indexed_request(self, attributes: Mapping[str, Json], prefix: str) -> None:
        """Add what went into a model, written under indexed keys or as one value."""
        value, keys, _ = unflatten(attributes, prefix)
        self._renamed(prefix, keys, lambda: self.request(prefix, value))

    def indexed_response(self, attributes: Mapping[str, Json], prefix: str, dropped: int = 0) -> None:
        """Add what a model gave, written under indexed keys or as one value; `dropped` attributes may leave gaps."""
        value, keys, gap = unflatten(attributes, prefix)
        self._renamed(prefix, keys, lambda: self.response(prefix, value))
        if gap and dropped:
            self.truncated.add(Part.ANSWER)

    def indexed_retrieved(self, attributes: Mapping[str, Json], prefix: str, dropped: int = 0) -> None:
        """Add what a retriever returned, written under indexed keys or as one value."""
        value, keys, gap = unflatten(attributes, prefix)
        self._renamed(prefix, keys, lambda: self.retrieved(prefix, value))
        if gap and dropped:
            self.truncated.add(Part.DOCUMENTS)

    def conversation(self, key: str, value: Json) -> None:
        """Add a whole conversation, its last assistant text being the answer."""
        decoded, cut = decode(value)
        found = [] if is_absent(value) else read_messages(decoded, "user")
        if found:
            self._conversation(found)
            self._add_output_flags(found[-1:])
            self.output_captured = self.output_captured or found[-1].role == "assistant"
            self._read(key, Part.ANSWER if cut else None)

    def retrieved(self, key: str, value: Json) -> None:
        """Add what a retriever, a reranker or a memory returned."""
        self._add_documents(key, value, documents_in)

    def tool_result(self, key: str, value: Json) -> None:
        """Add what a tool returned."""
        self._add_documents(key, value, tool_documents)

    def asked(self, key: str, value: Json) -> None:
        """Add the question, stated apart from messages or in the input of a chain."""
        decoded, cut = decode(value)
        found = "" if self.question or is_absent(value) else question_in(decoded)
        if found:
            self.question = found
            self._read(key, Part.QUESTION if cut else None)

    def variable(self, key: str, name: str, value: Json) -> None:
        """Add a value that was filled into a prompt template; one named like a question is the question."""
        texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        found = "\n".join(value) if texts else text(value)
        if found:
            self.variables[name] = found
            self.question = self.question or question_variable({name: found})
            self._read(key, None)

    def given(self, key: str, value: Json) -> None:
        """Add an input that a convention writes in the same way for every kind of span."""
        if is_absent(value) or self.role in _WITHOUT_ANSWER or self.role is Role.TOOL:
            return
        if self.role is Role.LLM:
            self.request(key, value)
            if not self.turns:
                self.asked(key, value)  # the arguments of a function that calls a model
            return
        decoded, _ = decode(value)
        if self.role in _WRAPPERS and not self.turns:
            found = _only_messages(decoded)
            if input_turns(found):
                self._add_input(found)
                self._read(key, None)
        self.asked(key, value)

    def returned(self, key: str, value: Json) -> None:
        """Add an output that a convention writes in the same way for every kind of span."""
        if self.role in _WITHOUT_ANSWER or (is_absent(value) and value != []):
            return
        if self.role is Role.LLM:
            self.response(key, value)
        elif self.role in _RETRIEVERS:
            self.retrieved(key, value)
        elif self.role is Role.TOOL:
            self.tool_result(key, value)
        else:
            decoded, cut = decode(value)
            self.output_captured = True
            if has_documents(decoded):
                self.retrieved(key, value)
            if _is_tool_message(decoded):
                self.role = Role.TOOL if self.role is Role.OTHER else self.role
                self.tool_result(key, value)
            found = answer_in(decoded)
            if found:
                self._answer(found)
                self._read(key, Part.ANSWER if cut else None)

    def extract(self) -> Extract:
        """Give the findings."""
        return Extract(
            convention=self.convention,
            role=self.role,
            keys=tuple(dict.fromkeys(self.keys)),
            turns=tuple(self.turns),
            question=self.question,
            answers=tuple(self.answers),
            documents=tuple(self.documents),
            variables=self.variables,
            tool_call=self.tool_call,
            media=tuple(dict.fromkeys(self.media)),
            truncated=frozenset(self.truncated),
            by_reference=self.by_reference,
            output_captured=self.output_captured,
        )

    def _renamed(self, prefix: str, keys: Sequence[str], add: Callable[[], None]) -> None:
        """Run `add` and name in the provenance the indexed keys instead of their prefix."""
        before = len(self.keys)
        add()
        if len(self.keys) > before and keys != (prefix,):
            self.keys[before:] = keys

    def _read(self, key: str, cut: Part | None) -> None:
        self.keys.append(key)
        if cut is not None:
            self.truncated.add(cut)

    def _answer(self, found: str) -> None:
        if found:
            self.answers.append(found)

    def _add_input(self, found: Sequence[Message]) -> None:
        self.turns += input_turns(found)
        for message in found:
            self.media += message.media
            self.documents += message.documents

    def _add_output_flags(self, found: Sequence[Message]) -> None:
        for message in found:
            self.media += message.media
            self.tool_call = self.tool_call or (message.tool_call and message.role == "assistant")

    def _conversation(self, found: Sequence[Message]) -> None:
        """Take the last assistant text as the answer and what came before it as turns."""
        turns = list(input_turns(found))
        if any(turn.role == "user" for turn in turns):  # it repeats the input
            self.turns = [turn for turn in self.turns if turn.role == "system" and turn not in turns]
        last = turns[-1] if turns else None
        if last is not None and last.role == "assistant":
            self._answer(last.text)
            turns = turns[:-1]
        self.turns += turns
        for message in found:
            self.documents += message.documents

    def _add_documents(self, key: str, value: Json, reader: Callable[[Json], list[Document]]) -> None:
        if value is None:
            return
        decoded, cut = decode(value)
        self.output_captured = True
        found = reader(decoded if cut or not isinstance(decoded, str) else value)
        if found:
            self.documents += found
            self._read(key, Part.DOCUMENTS if cut else None)


def _only_messages(value: Json) -> list[Message]:
    """Read messages where a chain's input plainly holds them, nothing from plain values."""
    for _ in range(4):
        if isinstance(value, list):
            return read_messages(value, "user") if value and _listed(decode(value[0]).value) else []
        if not isinstance(value, Mapping):
            return []
        if is_message(value):
            return read_messages(value, "user")
        key = next((key for key in ("messages", "inputs", "input", "state", "contents") if key in value), None)
        if key is None:
            return []
        value = decode(value[key]).value
    return []


def _is_tool_message(value: Json) -> bool:
    return is_message(value) and read_messages(value, "assistant")[0].role == "tool"


def _in_pieces(value: Json) -> bool:
    """Recognise the pieces of a stream sent as a message each (ADK): only the last one says why the model stopped."""
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(item, Mapping) for item in value):  # noqa: PLR2004 (pieces)
        return False
    reasons = [item.get("finish_reason", item) for item in value]
    return bool(reasons[-1]) and all(is_absent(reason) for reason in reasons[:-1])


def _joined(found: Sequence[Message], *, in_pieces: bool) -> Sequence[Message]:
    """Join the pieces of a stream that were sent as a message each (BeeAI): many, and each a word or less."""
    texts = [message.text for message in found if message.text]
    if not in_pieces and (len(texts) < _MIN_PIECES or sum(map(len, texts)) > _MAX_PIECE * len(texts)):
        return found
    return [Message("assistant", "".join(texts))]


def _listed(first: Json) -> bool:
    """Say whether a list that begins so is one of messages, of parts, of pairs, or of lists of messages."""
    if isinstance(first, list):
        return len(first) > 0 and (is_message(first[0]) or (isinstance(first[0], str) and first[0].lower() in ROLES))
    return is_message(first) or is_part(first)
