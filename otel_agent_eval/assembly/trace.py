"""What is known of a trace while its answers are assembled: a tree that grows in whatever order spans come."""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from otel_agent_eval.assembly.selection import Selector, Verdict
from otel_agent_eval.assembly.texts import comparable, is_data
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.evaluation.evaluation import Reason
from otel_agent_eval.evaluation.interaction import Turn

MAX_DEPTH = 256  # levels of ancestry that are looked at; deeper traces are read as if they began there
MAX_VISITS = 500  # spans looked at below one span, the latest first
MAX_TWINS = 16  # records of one model call

NEVER = 1 << 64  # a time after all others

_SCOPES = frozenset({Role.AGENT, Role.CHAIN})
WRAPPERS = frozenset({Role.AGENT, Role.CHAIN, Role.OTHER})
HIDDEN = frozenset(
    {Role.RETRIEVER, Role.RERANKER, Role.MEMORY, Role.TOOL, Role.EMBEDDING, Role.GUARDRAIL, Role.EVALUATOR}
)
"""What is answered below spans of these roles is not what the user saw."""
GUARDS = frozenset({Role.GUARDRAIL, Role.EVALUATOR})


class Fate(NamedTuple):
    """What became of a span: it counts, it is skipped for a reason, or it holds no answer of its own (`nothing`)."""

    skipped: Reason | None = None
    duplicate_of: str = ""
    nothing: bool = False

    @property
    def counts(self) -> bool:
        """Whether the answer is evaluated here."""
        return self.skipped is None and not self.nothing


COUNTS = Fate()
NOTHING = Fate(nothing=True)


@dataclass(slots=True, eq=False)
class Node:
    """One span of a trace: missing so far (`known` False), of no convention (`extract` None), or read.

    `texts` are the answers in comparable form; `holds_data` says that they are JSON rather than prose. `below` lists
    the children that lead to answers or documents, by the `earliest` start of these; `last_call` is the latest start
    of a model call at or below the span, `answers_below` says whether one answered with text; `waiters` are the spans
    whose ancestry ends here.
    """

    span_id: str
    known: bool = False
    batch: int = -1
    parent: "Node | None" = None
    view: SpanView | None = None  # while the span is held, or its content could still come
    extract: Extract | None = None
    role: Role | None = None
    start: int = 0
    end: int = 0
    name: str = ""
    scope: str = ""
    failed: bool = False
    texts: tuple[str, ...] = ()
    holds_data: bool = False
    question: str = ""
    segments: Mapping[str, str] = field(default_factory=dict)
    verdict: Verdict | None = None
    fate: Fate | None = None
    deciding: bool = False
    released: bool = False
    marked: bool = False
    earliest: int = NEVER
    below: "list[Node]" = field(default_factory=list)
    below_sorted: bool = True
    listed: bool = False  # among its parent's calls
    calls: "list[tuple[int, str, Node]]" = field(default_factory=list)  # model calls among the children, by start
    last_call: int = -1
    answers_below: bool = False
    waiters: "list[Node]" = field(default_factory=list)
    weight: int = 0  # characters of content that are kept


class Trace:
    """The spans of one trace. Ids are hex; `parent_of` finds the parent of a plain span seen earlier, or None."""

    def __init__(
        self, trace_id: str, parent_of: Callable[[str, str], str | None], selector: Selector | None = None
    ) -> None:
        self.trace_id = trace_id
        self.selector = selector
        self.nodes: dict[str, Node] = {}
        self.touched = 0.0
        self.deciding = 0  # fates that wait for one another just now
        self.weight = 0
        self.documents = 0
        self.held: dict[str, Node] = {}
        self.asked: dict[str, Node] = {}  # comparable question -> a model call that was asked it
        self.answered: dict[str, list[int]] = {}  # comparable answer -> when the model calls that gave it ended
        self.replied_to: set[str] = set()  # comparable answers that a user went on from: they were shown
        self.responses: dict[str, list[Node]] = {}
        self._parent_of = parent_of
        self._calls: list[int] = []  # starts of the model calls that answered with text

    def place(self, span_id: str, parent_id: str) -> Node:
        """Put a span into the tree, with as much of its ancestry as is known."""
        node = self._node(span_id)
        first = node
        for _ in range(MAX_DEPTH):
            node.known = True
            if not parent_id:
                break
            parent = self._node(parent_id)
            self._attach(node, parent)
            if parent.known:
                break
            known = self._parent_of(self.trace_id, parent_id)
            if known is None:
                break
            node, parent_id = parent, known
        return first

    def fill(self, node: Node, view: SpanView, extract: Extract) -> None:
        """Give a placed span its content; again where log records have added to it."""
        node.view, node.extract, node.role = view, extract, extract.role
        node.start, node.end, node.failed = view.start_time, view.end_time, view.failed
        node.name, node.scope = view.name, view.scope
        node.texts = tuple(text for answer in extract.answers if (text := comparable(answer)))
        node.holds_data = bool(extract.answers) and all(is_data(answer) for answer in extract.answers)
        node.question = comparable(last_user_turn(extract.turns)[1] or extract.question)
        if extract.role is Role.LLM:
            self._note_call(node, extract)
        if node.texts or extract.documents or extract.variables or extract.role in {Role.LLM, Role.RETRIEVER}:
            self._mark(node)
            self._lower_earliest(node, node.start)

    def take_apart(self) -> None:
        """Forget how the spans hang together: as they point at each other they would wait for a garbage collection."""
        for node in self.nodes.values():
            node.parent = None
            node.below.clear()
            node.calls.clear()
            node.waiters.clear()

    def answered_between(self, start: int, end: int) -> bool:
        """Say whether a model call that answered with text began in the span of time."""
        at = bisect_left(self._calls, start)
        return at < len(self._calls) and self._calls[at] < end

    def _note_call(self, node: Node, extract: Extract) -> None:
        if not node.listed and node.parent is not None:
            node.listed = True
            insort(node.parent.calls, (node.start, node.span_id, node))
        self._raise_last_call(node, node.start)
        if extract.response_id:
            same = self.responses.setdefault(extract.response_id, [])
            if len(same) < MAX_TWINS and node not in same:
                same.append(node)
        if node.question:
            self.asked.setdefault(node.question, node)
        if node.texts:
            insort(self._calls, node.start)
            self._tell_of_answer(node)
        for text in node.texts:
            insort(self.answered.setdefault(text, []), node.end)
        earlier = previous_answer(extract.turns)
        if earlier:
            self.replied_to.add(earlier)

    def _node(self, span_id: str) -> Node:
        node = self.nodes.get(span_id)
        if node is None:
            node = self.nodes[span_id] = Node(span_id)
        return node

    def _attach(self, node: Node, parent: Node) -> None:
        if node.parent is not None or node is parent:
            return
        node.parent = parent
        if node.marked:
            parent.below.append(node)
            parent.below_sorted = False
            self._mark(parent)
            self._lower_earliest(parent, node.earliest)
        if node.last_call >= 0:
            self._raise_last_call(parent, node.last_call)
        if node.answers_below:
            self._tell_of_answer(parent)

    def _mark(self, node: Node) -> None:
        """Make a span reachable from above, once."""
        for _ in range(MAX_DEPTH):
            if node.marked:
                return
            node.marked = True
            if node.parent is None:
                return
            node.parent.below.append(node)
            node.parent.below_sorted = False
            node = node.parent

    def _lower_earliest(self, node: Node | None, start: int) -> None:
        for _ in range(MAX_DEPTH):
            if node is None or node.earliest <= start:
                return
            node.earliest = start
            node = node.parent
            if node is not None:
                node.below_sorted = False

    def _raise_last_call(self, node: Node | None, start: int) -> None:
        for _ in range(MAX_DEPTH):
            if node is None or node.last_call >= start:
                return
            node.last_call = start
            node = node.parent

    def _tell_of_answer(self, node: Node | None) -> None:
        for _ in range(MAX_DEPTH):
            if node is None or node.answers_below:
                return
            node.answers_below = True
            node = node.parent


def ancestors(node: Node) -> Iterator[Node]:
    """Yield the known and missing ancestors of a span, nearest first."""
    above = node.parent
    for _ in range(MAX_DEPTH):
        if above is None:
            return
        yield above
        above = above.parent


def descendants(
    node: Node, *, into: Callable[[Node], bool], before: int = NEVER, leave: Node | None = None
) -> Iterator[Node]:
    """Yield what lies below a span and leads to answers or documents, the latest first; at most `MAX_VISITS` spans.

    Below a span for which `into` is false nothing is looked at; the span itself is yielded. What begins at or after
    `before` and the branch `leave` are left out.
    """
    stack = _below(node, before)
    for _ in range(MAX_VISITS):
        if not stack:
            return
        below = stack.pop()
        if below is leave:
            continue
        yield below
        if into(below):
            stack += _below(below, before)


def _below(node: Node, before: int) -> list[Node]:
    if not node.below_sorted:
        node.below.sort(key=_earliest)
        node.below_sorted = True
    end = bisect_left(node.below, before, key=attrgetter("earliest")) if before != NEVER else len(node.below)
    return node.below[max(0, end - MAX_VISITS) : end]


def _earliest(node: Node) -> tuple[int, str]:
    return node.earliest, node.span_id


def is_scope(node: Node) -> bool:
    """Say whether a span is an agent or a chain, by name or in that it took a question or gave an answer."""
    return node.role in _SCOPES or (node.role is Role.OTHER and bool(node.texts or node.question))


def last_user_turn(turns: tuple[Turn, ...]) -> tuple[int, str]:
    """Return the position and the text of the last user turn that has text, `(-1, "")` if there is none."""
    for at in range(len(turns) - 1, -1, -1):
        if turns[at].role == "user" and turns[at].text:
            return at, turns[at].text
    return -1, ""


def previous_answer(turns: tuple[Turn, ...]) -> str:
    """Return, in comparable form, the answer that the user went on from: the last one before their last turn."""
    at, _ = last_user_turn(turns)
    return next((comparable(turn.text) for turn in reversed(turns[: max(at, 0)]) if turn.role == "assistant"), "")
