"""Which documents belong to which answer: by ancestry first, never by time alone."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from otel_agent_eval.assembly.pasted import pasted_variables, pieces
from otel_agent_eval.assembly.texts import comparable, is_substantial
from otel_agent_eval.assembly.trace import (
    GUARDS,
    MAX_VISITS,
    Node,
    Trace,
    ancestors,
    descendants,
    is_scope,
    last_user_turn,
    previous_answer,
)
from otel_agent_eval.conventions.documents import documents_in, has_documents, tool_documents
from otel_agent_eval.conventions.extract import Role
from otel_agent_eval.evaluation.interaction import Document, Turn

MAX_DOCUMENTS = 1_000  # kept for one answer, the latest retrieved; where there are more they count as cut
_MAX_LOOKED_AT = 10 * MAX_DOCUMENTS  # for one answer: each is compared with others
_RETRIEVALS = frozenset({Role.RETRIEVER, Role.RERANKER, Role.MEMORY, Role.TOOL})
_STEPS = frozenset({Role.CHAIN, Role.OTHER})
_RETRIEVES = re.compile(
    r"search|retriev|look_?up|knowledge|document|wiki|fetch|browse|vector|crawl|scrape"
    r"|(?:\b|_)(?:docs?|query|queries|rag|faqs?|kb|find)(?:\b|_)",
    re.IGNORECASE,
)
_ENDS_RUN = re.compile(r"final_?(?:answer|result|output|response)(?:_?tool)?", re.IGNORECASE)  # it is given the answer
_SEEN = 80  # comparable characters of a document that show it in a prompt
_MAX_SEARCHED = 1 << 30  # characters of one prompt, for all documents together: a quarter of a second


class Retrieved(NamedTuple):
    """The spans that retrieved for an answer, oldest first; `cut`: there were too many spans to look at all."""

    nodes: tuple[Node, ...] = ()
    cut: bool = False

    @property
    def queries(self) -> list[str]:
        """What was asked of them; the arguments of a tool are no question."""
        asked = (n.extract.question for n in self.nodes if n.extract is not None and n.role is not Role.TOOL)
        return [question for question in asked if question]


def retrieved_for(trace: Trace, node: Node) -> Retrieved:
    """Find the spans that retrieved for an answer.

    For a model call: those that ended before it began, under the nearest agent or chain around it that has any, up to
    the outermost one, which is the turn. For a wrapper: those below it.
    """
    cut = False
    for retrieves in (_retrieves, _passes_on):
        if node.role is Role.LLM:
            found, missed = _around(trace, node, retrieves)
        else:
            below = [*descendants(node, into=_searched)]
            found, missed = [d for d in below if retrieves(d)], _are_cut(below)
        cut = cut or missed
        if found:
            ordered = _ordered(found)
            return ordered._replace(cut=cut or ordered.cut)
    return Retrieved(cut=cut)


def documents_for(
    node: Node, retrieved: Retrieved, pasted: Sequence[str], turns: Sequence[Turn]
) -> tuple[tuple[Document, ...], bool]:
    """Return the documents that an answer can rest on, without repeats, each with an id of its own.

    Return also whether there were more of them than are kept.

    Texts come from the retrieving spans and the span itself, from tool messages since the last user turn and, where
    the records carry ids only or there are none, from what is pasted into the prompt: `pasted`, or its variables.
    """
    from_spans = [replace(d, span_id=n.span_id) for n in retrieved.nodes for d in _documents(n)]
    known = _distinct([*from_spans, *_documents(node)])
    known = _distinct([*known, *_from_messages(turns, known[-MAX_DOCUMENTS:])])
    if not known:
        ids = [d for n in retrieved.nodes for d in _documents(n)]
        found_nothing = any(n.extract is not None and n.extract.output_captured for n in retrieved.nodes) and not ids
        if not found_nothing:
            known = _distinct(_from_prompt(node, retrieved, pasted, ids))
    return _numbered(known[-MAX_DOCUMENTS:]), len(known) > MAX_DOCUMENTS


class _Prompt:
    """What a model call saw in this turn, in comparable form, made when first needed."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._text: str | None = None
        self._left = _MAX_SEARCHED

    def shows(self, retrieval: Node) -> bool:
        if self._text is None:
            turns = self._node.extract.turns if self._node.extract is not None else ()
            at, _ = last_user_turn(turns)
            seen = [t.text for i, t in enumerate(turns) if i >= at or t.role == "system"]
            self._text = " ".join(" ".join(text.split()) for text in seen)
        return any(d.text and self._holds(d.text, self._text) for d in _documents(retrieval))

    def _holds(self, text: str, prompt: str) -> bool:
        self._left -= len(prompt)
        return self._left > 0 and " ".join(text.split(None, _SEEN))[:_SEEN] in prompt


def _around(trace: Trace, call: Node, retrieves: Callable[[Node], bool]) -> tuple[list[Node], bool]:
    """Walk outward from a model call to the first scope in which something was retrieved for it.

    Return also whether there were too many spans to look at all.
    """
    cut = False
    prompt = _Prompt(call)
    around = list(ancestors(call))
    scopes = [i for i, above in enumerate(around) if is_scope(above)]
    outermost = scopes[-1] if scopes else len(around)
    began = _turn_began(trace, call)
    inside = call
    for i, above in enumerate(around):
        if scopes and i < outermost and not is_scope(above):
            continue
        below = [*descendants(above, into=_searched, before=call.start + 1, leave=inside)]
        cut = cut or _are_cut(below)
        found = [d for d in below if retrieves(d) and began <= d.start and _belongs(trace, call, d, above, prompt)]
        if i > outermost:  # beyond the turn, as far as is known: only what the prompt shows
            found = [d for d in found if prompt.shows(d)]
        if found:
            return _shown_only(trace, call, found, prompt), cut
        inside = above
    return [], cut


def _are_cut(visited: Sequence[Node]) -> bool:
    """Say whether a walk ended because it saw enough; the branch it left out counts as seen."""
    return len(visited) >= MAX_VISITS - 1


def _retrieves(node: Node) -> bool:
    """Say whether a span retrieved documents, or tried to."""
    extract = node.extract
    if extract is None or node.role not in _RETRIEVALS:
        return False
    if node.role is not Role.TOOL:
        return True
    if _ENDS_RUN.fullmatch(extract.tool_name or node.name):
        return False
    named = _RETRIEVES.search(extract.tool_name or node.name)
    return bool(extract.documents) and bool(named or any(is_substantial(d.text) for d in extract.documents))


def _passes_on(node: Node) -> bool:
    """Say whether a span is a step that returned documents, in a framework that does not call it a retriever."""
    return node.role in _STEPS and any(d.text for d in _documents(node))


def _searched(node: Node) -> bool:
    return node.role not in GUARDS and node.role is not Role.LLM


def _belongs(trace: Trace, call: Node, retrieval: Node, scope: Node, prompt: _Prompt) -> bool:
    """Say whether a retrieval below a scope is one for this model call, and not for another one in the scope."""
    if retrieval.end > call.start:
        return False
    return not _is_for_another(trace, call, retrieval, scope) or prompt.shows(retrieval)


def _is_for_another(trace: Trace, call: Node, retrieval: Node, scope: Node) -> bool:
    """Say whether a call in the retrieval's own branch came after it, or it looked for what another call was asked."""
    for branch in ancestors(retrieval):
        if branch is scope:
            break
        if branch.last_call >= retrieval.end:
            return True
    asked = retrieval.question
    other = trace.asked.get(asked) if asked and asked not in call.question else None
    return other is not None and other is not call


def _turn_began(trace: Trace, call: Node) -> int:
    """Return when the answer ended that the user went on from in this call's messages; 0 if this trace has none."""
    earlier = previous_answer(call.extract.turns) if call.extract is not None else ""
    ends = trace.answered.get(earlier, ()) if earlier else ()
    at = bisect_right(ends, call.start)
    return ends[at - 1] if at else 0


def _shown_only(trace: Trace, call: Node, found: list[Node], prompt: _Prompt) -> list[Node]:
    """Leave out what stands in no prompt, where others do and another answer lies between it and this call."""
    shown = [d for d in found if prompt.shows(d)]
    if not shown or len(shown) == len(found):
        return found
    return [d for d in found if d in shown or not trace.answered_between(d.end, call.start)]


def _ordered(found: list[Node]) -> Retrieved:
    found.sort(key=lambda n: (n.start, n.end, n.span_id))
    latest, count = len(found), 0
    while latest and count < _MAX_LOOKED_AT:
        latest -= 1
        count += len(_documents(found[latest]))
    return Retrieved(tuple(_without_nested(_without_reranked(found[latest:]))), cut=latest > 0)


def _without_reranked(found: list[Node]) -> list[Node]:
    """Let a reranker's output stand for the earlier documents that it put in order."""
    if all(n.role is not Role.RERANKER for n in found):
        return found
    texts = {n.span_id: _texts(n) for n in found}
    rerankers = [n for n in found if n.role is Role.RERANKER]

    def is_put_in_order(node: Node) -> bool:
        own = texts[node.span_id]
        return any(node is not r and node.end <= r.start and not own.isdisjoint(texts[r.span_id]) for r in rerankers)

    return [n for n in found if not is_put_in_order(n)]


def _without_nested(found: list[Node]) -> list[Node]:
    """Of a retriever inside another keep the outer one; of one inside a tool that returned the same keep the finer."""
    by_id = {n.span_id: n for n in found if _texts(n)}
    drop: set[str] = set()
    for n in found:
        for above in ancestors(n):
            outer = by_id.get(above.span_id)
            if outer is None or outer is not above:
                continue
            drop.add(outer.span_id if outer.role is Role.TOOL and _is_made_of(outer, n) else n.span_id)
            break
    return [n for n in found if n.span_id not in drop]


def _is_made_of(outer: Node, inner: Node) -> bool:
    """Say whether all that one span returned stands in what another one returned."""
    texts, wholes = _texts(inner), _texts(outer)
    return bool(texts) and all(text in wholes or any(text in whole for whole in wholes) for text in texts)


def _documents(node: Node) -> tuple[Document, ...]:
    return node.extract.documents if node.extract is not None else ()


def _texts(node: Node) -> set[str]:
    return {comparable(d.text) for d in _documents(node) if d.text}


def _from_messages(turns: Sequence[Turn], known: Sequence[Document]) -> list[Document]:
    """Read the tool results among messages that are substantial and not made up of what is known already."""
    at, _ = last_user_turn(tuple(turns))
    have = {comparable(d.text) for d in known}
    found = []
    for turn in turns[at + 1 :]:
        if turn.role == "tool" and turn.text and comparable(turn.text) not in have:
            whole = comparable(turn.text)
            if sum(len(text) for text in have if text in whole) < len(whole) // 2:
                found += [d for d in tool_documents(turn.text) if is_substantial(d.text)]
    return found


def _from_prompt(node: Node, retrieved: Retrieved, pasted: Sequence[str], ids: Sequence[Document]) -> list[Document]:
    """Cut pasted context into documents; where retrieval records gave as many ids, these are theirs."""
    variables = dict(node.extract.variables) if node.extract is not None else {}
    for step in _prompt_steps(node):
        variables = {**step.extract.variables, **variables} if step.extract is not None else variables
    texts = pasted_variables(variables) or pasted
    records = [d for text in texts if has_documents(text) for d in documents_in(text)]
    if records:  # pasted as JSON
        return records
    cut = [piece for text in texts for piece in pieces(text, len(ids))]
    if len(cut) == len(ids):
        span_id = retrieved.nodes[-1].span_id if retrieved.nodes else ""
        return [replace(d, text=text, span_id=span_id) for d, text in zip(ids, cut, strict=True)]
    return [Document(id="", text=text) for text in cut]


def _prompt_steps(node: Node) -> Iterable[Node]:
    """Give the template step that filled a call's prompt: the last one before it under its parent, or in a wrapper."""
    if node.role is Role.LLM:
        around = (
            descendants(node.parent, into=lambda _: False, before=node.start + 1) if node.parent is not None else ()
        )
        steps = [n for n in around if n.role is Role.PROMPT and n.end <= node.start]
    else:
        steps = [n for n in descendants(node, into=_searched) if n.role is Role.PROMPT]
    return sorted(steps, key=lambda n: (n.end, n.span_id))[-1:]


def _distinct(documents: Iterable[Document]) -> list[Document]:
    """Drop documents without text and those whose text came before."""
    distinct: dict[str, Document] = {}
    for document in documents:
        if document.text:
            distinct.setdefault(comparable(document.text), document)
    return list(distinct.values())


def _numbered(documents: Sequence[Document]) -> tuple[Document, ...]:
    """Give each document an id of its own: the sender's, or its position where that is missing or taken."""
    taken: set[str] = set()
    numbered = []
    for at, document in enumerate(documents):
        given = document.id or str(at)
        own = (
            given
            if given not in taken
            else next(f"{given}-{n}" for n in range(2, at + 3) if f"{given}-{n}" not in taken)
        )
        taken.add(own)
        numbered.append(document if own == document.id else replace(document, id=own))
    return tuple(numbered)
