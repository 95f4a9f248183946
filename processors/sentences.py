"""Split an answer into sentences and tell which of them are claims.

Pure Python, linear in the length of the text. The faithfulness head was trained and calibrated on exactly these
sentences, so a change here changes scores: measure it with ``training/evaluate.py``.
"""

# ruff: noqa: RUF001, SIM905 (typographic marks are what is looked for; a text of words reads better than a list)

import re
from dataclasses import dataclass

_LEAST_LETTERS = 2
MAX_WORDS = 80
"""A longer run of words without an end is cut, so that no sentence outgrows the model."""

_ABBREVIATIONS = frozenset(
    "mr mrs ms dr prof sr jr st mt vs etc eg ie e.g i.e cf al no nos vol fig figs pp inc ltd co corp dept est "
    "approx jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k a.m p.m ph.d gen col sgt capt lt gov sen rep "
    "rev hon ave blvd rd ft in lb lbs oz hr hrs min sec ca".split()
)
# An end mark, closing quotes, white space: a boundary unless what stands before it is an abbreviation.
_END = re.compile(r"[.!?]{1,3}[\"'”’)\]]{0,3}(?=\s)|[。！？]")
_LINES = re.compile(r"[^\r\n\u2028\u2029]+")
_BULLET = re.compile(r"\s*(?:[-*•–‣▪●]+|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|#{1,6}|>)\s+")
_WORD = re.compile(r"\S+")
_LETTERS = re.compile(r"[^\W_]")

_PLEASANTRY = re.compile(
    r"^\W*(?:sure|certainly|of course|absolutely|great question|good question|hello|hi|hey|thanks|thank you|"
    r"you'?re welcome|my pleasure|happy to help|i(?:'m| am) (?:happy|glad) to|glad i could|i hope (?:this|that|it)|"
    r"hope (?:this|that) helps|let me know|please let me know|please feel free|feel free|"
    r"if you have (?:any|more|other|further)|is there anything|have a (?:great|nice|good)|good luck|i apologi[sz]e|"
    r"sorry\b|i(?:'m| am) (?:so |very )?sorry|(?:yes|no|ok|okay|right|welcome)\W*$)",
    re.IGNORECASE,
)
# "We do not offer refunds" is a claim; "I could not find that" is none: only verbs of knowing and helping count.
_REFUSAL = re.compile(
    r"\b(?:i|we)(?: am| are|'m|'re| was| were)? (?:do not|don'?t|cannot|can'?t|could not|couldn'?t|did not|didn'?t|"
    r"won'?t|will not|unable to|not able to) "
    r"(?:know|find|answer|provide|help|assist|determine|say|tell|locate|see|confirm)\b"
    r"|\b(?:i|we) (?:do not|don'?t|did not|didn'?t) have (?:\w+ ){0,2}"
    r"(?:information|access|details?|data|answer|knowledge)\b"
    r"|\bi(?:'m| am) not (?:sure|certain)\b"
    r"|\bunable to (?:answer|provide|determine|find|help|give|assist|confirm)\b"
    r"|\b(?:passages?|contexts?|documents?|sources?|texts?|articles?|information|results?)\b.{0,60}"
    r"\b(?:do(?:es)?|did) ?(?:not|n'?t) (?:\w+ )?"
    r"(?:contain|mention|provide|include|specify|state|say|give|discuss|address|have|explain)"
    r"|\b(?:there is|there's|there are|has|have) (?:no|not enough|insufficient) (?:\w+ )?"
    r"(?:information|mention|answer|data|details?)\b",
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
    found: list[Sentence] = []
    for line in _LINES.finditer(text):
        begin = line.start()
        bullet = _BULLET.match(text, begin, line.end())
        if bullet:
            begin = bullet.end()
        for mark in _END.finditer(text, begin, line.end()):
            if _is_boundary(text, begin, mark):
                _append(found, text, begin, mark.end())
                begin = mark.end()
        _append(found, text, begin, line.end())
    return found


def is_claim(sentence: str) -> bool:
    """Whether a sentence states something that a passage could support.

    Questions, list lead-ins ("Here are some tips:"), pleasantries and refusals ("I don't know") are not claims.
    """
    text = sentence.strip()
    if len(_LETTERS.findall(text[:40])) < _LEAST_LETTERS and not any(c.isdigit() for c in text):
        return False
    if text.endswith(("?", ":", "：")):
        return False
    return not _PLEASANTRY.search(text[:200]) and not _REFUSAL.search(text[:400])


def is_refusal(text: str) -> bool:
    """Whether a sentence says that the answer is not known or will not be given."""
    return bool(_REFUSAL.search(text[:400]))


def claims(answer: str) -> list[Sentence]:
    """The sentences of an answer that are claims, in order. A bare "Yes" or "No" claims what was asked."""
    sentences = split_sentences(answer)
    found = [sentence for sentence in sentences if is_claim(sentence.text)]
    return found or [sentence for sentence in sentences[:1] if _YES_NO.match(sentence.text)]


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


def _append(found: list[Sentence], text: str, begin: int, end: int) -> None:
    words = list(_WORD.finditer(text, begin, end))
    for i in range(0, len(words), MAX_WORDS):
        start, stop = words[i].start(), words[min(i + MAX_WORDS, len(words)) - 1].end()
        found.append(Sentence(text[start:stop], start, stop))
