"""The question as it is to be read: with what the user said before, where it leans on that."""

# ruff: noqa: RUF001, SIM905 (typographic marks are looked for; a text of words reads better than a list)

import re

from otel_agent_eval.evaluation import Interaction, Turn

_SHORT, _VERY_SHORT = 12, 3
"""Words of a question that can lean on what was said before, and of one that must."""
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_LEANING_BEGINNINGS = frozenset("and but or so then also what's else why".split())
_LEANING = frozenset(
    "it it's its they they're them their theirs he he's she she's him her his hers this that that's those these one "
    "ones there another other others same else both neither either first second last".split()
)
_LEANING_PHRASE = re.compile(r"\s*(?:what|how) about\b", re.IGNORECASE)


def readings(interaction: Interaction, most_words: int) -> tuple[str, ...]:
    """Return the question, and if it leans on what the user said before also behind that, in so many words at most.

    "And in winter?" says little alone. What the assistant said is left out: an answer that repeats it would look like
    one to the question.
    """
    question = interaction.question
    earlier = [turn for turn in interaction.turns if turn.role == "user" and turn.text.strip() != question.strip()]
    read = question.split()
    leans = _leans(question, interaction.turns)
    while leans and earlier and len(read) < most_words:
        before = earlier.pop()
        read = [*before.text.split()[-(most_words - len(read)) :], *read]
        leans = _leans(before.text, ())
    return (question, " ".join(read)) if len(read) > len(question.split()) else (question,)


def _leans(question: str, turns: tuple[Turn, ...]) -> bool:
    """Whether a question points at something that it does not name, or replies to what the assistant asked."""
    words = [word.lower().replace("’", "'") for word in _WORD.findall(question[:1000])]
    if len(words) > _SHORT:
        return False
    if len(words) <= _VERY_SHORT or words[0] in _LEANING_BEGINNINGS or _LEANING_PHRASE.match(question):
        return True
    if not _LEANING.isdisjoint(words):
        return True
    said = [turn for turn in turns if turn.role == "assistant"]
    return bool(said) and said[-1].text.rstrip().endswith("?") and not question.rstrip().endswith("?")
