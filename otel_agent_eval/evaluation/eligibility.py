"""What can be known of an evaluation without a model: what is missing, and what a cut text still allows to say."""

import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from otel_agent_eval.evaluation.evaluation import Evaluation, Reason, Scored, Skipped
from otel_agent_eval.evaluation.evaluator import Description
from otel_agent_eval.evaluation.interaction import Document, Interaction, Part

MAX_CHARACTERS = 16 << 20
"""Of the question, the answer, all documents together and all that was stated this much is read; what is longer counts
as cut by its sender. Far above all that agents say, and below what could exhaust memory."""
_LOOK = 1024
"""Characters that are looked at together."""

_INVISIBLE = frozenset({"Zs", "Zl", "Zp", "Cc", "Cf", "Cs"})
_MISSING = {Part.ANSWER: Reason.NO_ANSWER, Part.QUESTION: Reason.NO_QUESTION, Part.DOCUMENTS: Reason.NO_CONTEXT}


def bounded(interaction: Interaction) -> Interaction:
    """Cut what is too long to be held, and mark it truncated: visible, never silent."""
    documents = _bounded_documents(interaction.documents)
    cut = set(interaction.truncated)
    if len(interaction.answer) > MAX_CHARACTERS:
        cut.add(Part.ANSWER)
    if len(interaction.question) > MAX_CHARACTERS:
        cut.add(Part.QUESTION)
    if documents is not interaction.documents or sum(map(len, interaction.grounding)) > MAX_CHARACTERS:
        cut.add(Part.DOCUMENTS)
    if cut == interaction.truncated:
        return interaction
    return replace(
        interaction,
        answer=interaction.answer[:MAX_CHARACTERS],
        question=interaction.question[:MAX_CHARACTERS],
        documents=documents,
        grounding=tuple(_within(interaction.grounding)),
        truncated=frozenset(cut),
    )


def reason_to_skip(interaction: Interaction, evaluator: Description) -> Reason | None:
    """Return why an evaluator cannot judge an interaction, or None if it can."""
    for part, missing in _MISSING.items():
        if part in evaluator.needs and not _present(interaction, part):
            if part is Part.DOCUMENTS and part in interaction.truncated:
                return Reason.TRUNCATED  # they may be among what was cut
            return Reason.BY_REFERENCE if interaction.by_reference else missing
    if interaction.truncated & evaluator.needs - evaluator.when_truncated.keys():
        return Reason.TRUNCATED
    return None


def settle(evaluation: Evaluation, interaction: Interaction, evaluator: Description) -> Evaluation:
    """Turn a label that the missing rest of a truncated text could undo into a skip."""
    if isinstance(evaluation, Scored):
        for part in interaction.truncated & evaluator.needs:
            if evaluation.label is not evaluator.when_truncated.get(part):
                return Skipped(Reason.TRUNCATED)
    return evaluation


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: white space, control and invisible format characters."""
    parts = (text[start : start + _LOOK] for start in range(0, len(text), _LOOK))
    return all(unicodedata.category(character) in _INVISIBLE for part in parts for character in set(part))


def _present(interaction: Interaction, part: Part) -> bool:
    if part is Part.DOCUMENTS:
        return any(not is_blank(document.text) for document in interaction.documents)
    return not is_blank(interaction.answer if part is Part.ANSWER else interaction.question)


def _bounded_documents(documents: tuple[Document, ...]) -> tuple[Document, ...]:
    if sum(len(document.text) for document in documents) <= MAX_CHARACTERS:
        return documents
    texts = _within(document.text for document in documents)
    return tuple(replace(document, text=text) for document, text in zip(documents, texts, strict=False))


def _within(texts: Iterable[str]) -> Iterable[str]:
    """Yield the beginning of the texts, `MAX_CHARACTERS` in all."""
    room = MAX_CHARACTERS
    for text in texts:
        if room <= 0:
            return
        yield text[:room]
        room -= len(text)
