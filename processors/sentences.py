"""Split an answer into sentences and tell which of them are claims.

Pure Python, linear in the length of the text, one sentence at a time. The faithfulness head was trained and calibrated
on exactly these sentences, so a change here changes scores: measure it with ``training/evaluate.py``.
"""

# ruff: noqa: RUF001, SIM905 (typographic marks are what is looked for; a text of words reads better than a list)

import re
from collections.abc import Iterator
from dataclasses import dataclass
from string import digits

_LEAST_LETTERS = 2
MAX_WORDS = 80
_MAX_CHARACTERS = 2_400
"""A longer run of words, or of characters without a space, is cut, so that no sentence outgrows the model."""
_LONG_WORD = 60
"""Characters for which a sentence counts a word at least."""

_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof sr jr st mt vs etc eg ie e.g i.e cf al no nos vol fig figs pp inc ltd co corp dept est "
    "approx jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k a.m p.m ph.d gen col sgt capt lt gov sen rep "
    "rev hon ave blvd rd ft in lb lbs oz hr hrs min sec ca".split()
)
# An end mark, closing quotes, white space: a boundary unless what stands before it is an abbreviation.
_END = re.compile(r"[.!?]{1,3}[\"'”’)\]]{0,3}(?=\s)|[。！？]")
_LINES = re.compile(r"[^\r\n\u2028\u2029]+")
_BULLET = re.compile(r"\s*(?:[-*•–‣▪●]+|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|#{1,6}|>)\s+")
_WORD = re.compile(rf"\S{{1,{_MAX_CHARACTERS}}}")
_LETTERS = re.compile(r"[^\W_]")

_HEADING = re.compile(r"\s*#{1,6}\s")
_FENCE = re.compile(r"\s*(```|~~~)")
_TABLE_RULE = re.compile(r"[\r\n]+[ \t|:]*-[ \t|:-]*(?:[\r\n]|$)")
_NO_WORDS = re.compile(r"[\W\d]*", re.ASCII)
_OPENS_NUMBER = re.compile(r"\(\d{0,2}\Z", re.ASCII)

_OPENING = re.compile(
    r"^\W*(?:sure(?: thing)?|certainly|of course|absolutely|great question|good question|no problem|"
    r"(?:hello|hi|hey)(?: there)?|thanks|thank you|sorry|(?:i'm|i am) sorry|ok|okay|right)\s*[,;!–—-]+\s*",
    re.IGNORECASE,
)
_PLEASANTRY = re.compile(
    r"^\W*(?:sure|certainly|of course|absolutely|great question|good question|hello|hi|hey|thanks|thank you|"
    r"you'?re welcome|my pleasure|i(?:'m| am|'d be| would be) (?:(?:very|more than) )?(?:happy|glad) to|happy to|"
    r"i(?: can|'ll| will) (?:\w+ )?(?:help|assist|answer)|glad i could|"
    r"i hope (?:this|that|it)|hope (?:this|that) helps|let me know|please let me know|please feel free|feel free|"
    r"if you have (?:(?:any|more|other|further|additional) )*"
    r"(?:questions?|concerns?|doubts?|issues?|requests?|queries)|"
    r"is there anything|have a (?:great|nice|good)|good luck|i apologi[sz]e|"
    r"sorry|i(?:'m| am) (?:so |very )?sorry)\b|^\W*(?:yes|no|ok|okay|right|welcome)\W*$",
    re.IGNORECASE,
)
_WORDS_AFTER_OPENING = 3
"""Fewer words behind "Sure, " claim nothing."""
# "We do not offer refunds" is a claim; "I could not find that" is none: only verbs of knowing and helping count.
_REFUSAL = re.compile(
    r"\bi(?: am|'m| was)? (?:do not|don'?t|cannot|can'?t|could not|couldn'?t|did not|didn'?t|"
    r"won'?t|will not|unable to|not able to) "
    r"(?:know|find|answer|provide|help|assist|determine|say|tell|locate|see|confirm)\b"
    r"|\bwe(?: are|'re| were)? (?:do not|don'?t|cannot|can'?t|could not|couldn'?t|did not|didn'?t|"
    r"won'?t|will not|unable to|not able to) "
    r"(?:know|find|answer|help|assist|determine|say|tell|locate|confirm)\b"
    r"|\b(?:i|we) (?:do not|don'?t|did not|didn'?t) have (?:\w+ ){0,2}"
    r"(?:information|access|details?|data|answer|knowledge)\b"
    r"|\bi(?:'m| am) not (?:sure|certain)\b"
    r"|\bas an? (?:ai|artificial intelligence|(?:large )?language model|virtual assistant)\b"
    r"|\bunable to (?:answer|provide|determine|find|help|give|assist|confirm)\b"
    r"|\b(?:passages?|contexts?|documents?|sources?|texts?|articles?|information|results?)\b"
    r"(?:(?!\b(?:says?|states?|shows?|notes?|reports?)\b).){0,60}\b(?:do(?:es)?|did) ?(?:not|n'?t) (?:\w+ )?"
    r"(?:contain|mention|provide|include|specify|state|say|give|discuss|address|have|explain)"
    r"|\b(?:there is|there's|there are|has|have) (?:no|not enough|insufficient) (?:\w+ )?"
    r"(?:information|mention|answer|data|details?)"
    r"(?=\W*$| (?:about|on|of|regarding|for|in|to|that|available|provided|given)\b)",
    re.IGNORECASE,
)
_YES_NO = re.compile(r"^\W*(?:yes|no|true|false)\W*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and where it stands in the text: ``text == whole[start:end]``."""

    text: str
    start: int
    end: int


def split_sentences(text: str) -> list[Sentence]:
    """Sentences of ``text`` in order; every line is at least one, list marks are left out, decimals stay whole."""
    return list(iter_sentences(text))


def iter_sentences(text: str) -> Iterator[Sentence]:
    """Yield what ``split_sentences`` returns."""
    for line in _LINES.finditer(text):
        yield from _split_line(text, line.start(), line.end())


def length_in_words(sentence: str) -> int:
    """How many words a sentence counts for: encoded data counts by its length."""
    return max(len(sentence.split()), len(sentence) // _LONG_WORD)


def is_claim(sentence: str) -> bool:
    """Whether a sentence states something that a passage could support.

    Questions, list lead-ins ("Here are some tips:"), citations, pleasantries and refusals ("I don't know") are not
    claims.
    """
    text = sentence.strip()
    has_digits = any(c.isdigit() for c in text)
    if len(_LETTERS.findall(text[:40])) < _LEAST_LETTERS and not has_digits:
        return False
    if text.endswith(("?", ":", "：")) or _is_citation(text):
        return False
    opening = _OPENING.match(text)
    if opening and len(text[opening.end() :].split()) >= _WORDS_AFTER_OPENING:
        text = text[opening.end() :]
    return bool(has_digits or not _PLEASANTRY.search(text[:200])) and not _REFUSAL.search(text[:400])


def _is_citation(text: str) -> bool:
    """Whether a sentence is `[1, 2]` or `(3)`, and marks: its last digit stands in brackets."""
    last = max(map(text.rfind, digits))
    if last < 0 or not _NO_WORDS.fullmatch(text):
        return False
    before, after = text[:last], text[last + 1 :]
    return ("[" in before and "]" in after) or (after.startswith(")") and bool(_OPENS_NUMBER.search(before)))


def is_refusal(text: str) -> bool:
    """Whether a sentence says that the answer is not known or will not be given."""
    return bool(_REFUSAL.search(text[:400]))


def claims(answer: str) -> list[Sentence]:
    """The sentences of an answer that are claims, in order. A bare "Yes" or "No" claims what was asked.

    Headings, the heads of tables and blocks of code claim nothing.
    """
    return [sentence for sentence in iter_claims(answer) if sentence is not None]


def iter_claims(answer: str) -> Iterator[Sentence | None]:
    """Yield each claim, and None for what is none, lines and sentences: there can be very many of them."""
    found = False
    for begin, end in _prose(answer):
        yield None
        for sentence in _split_line(answer, begin, end):
            claimed = is_claim(sentence.text)
            found = found or claimed
            yield sentence if claimed else None
    first = next(iter_sentences(answer), None)
    if not found and first is not None and _YES_NO.match(first.text):
        yield first


def _prose(text: str) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each line that is neither a heading nor the head of a table nor code."""
    fence = ""
    for line in _LINES.finditer(text):
        mark = _FENCE.match(line.group())
        if fence:
            fence = "" if mark and mark[1] == fence else fence
        elif mark and text.find(mark[1], line.start() + mark.end()) >= 0:  # one that nothing closes is none
            fence = mark[1]
        elif not _HEADING.match(line.group()) and not ("|" in line.group() and _TABLE_RULE.match(text, line.end())):
            yield line.start(), line.end()


def _split_line(text: str, begin: int, end: int) -> Iterator[Sentence]:
    bullet = _BULLET.match(text, begin, end)
    if bullet:
        begin = bullet.end()
    for mark in _END.finditer(text, begin, end):
        if _is_boundary(text, begin, mark):
            yield from _cut(text, begin, mark.end())
            begin = mark.end()
    yield from _cut(text, begin, end)


def _is_boundary(text: str, begin: int, mark: re.Match[str]) -> bool:
    if mark.group()[0] != ".":
        return True
    # Only the last word matters, so look back a bounded way.
    before = text[max(begin, mark.start() - 24) : mark.start()].rsplit(None, 1)
    word = before[-1].lstrip("(\"'“[").lower() if before else ""
    following = text[mark.end() : mark.end() + 3].lstrip()[:1]
    if len(word) == 1 and word.isalpha() and word != "i":
        return False  # an initial: J. Smith
    if word in _ABBREVIATIONS:
        # "at 5 p.m. The" ends a sentence, "Dr. Who" does not.
        return word in {"etc", "a.m", "p.m", "inc", "ltd", "co", "u.s", "u.k"} and following.isupper()
    return not following.islower()


def _cut(text: str, begin: int, end: int) -> Iterator[Sentence]:
    """Yield what stands between two places: one sentence, or several where it is too long for one."""
    start, stop, count = begin, begin, 0
    for word in _WORD.finditer(text, begin, end):
        if count and (count == MAX_WORDS or word.end() - start > _MAX_CHARACTERS):
            yield Sentence(text[start:stop], start, stop)
            count = 0
        start, stop, count = word.start() if count == 0 else start, word.end(), count + 1
    if count:
        yield Sentence(text[start:stop], start, stop)
