"""Weak category labels for toxicity: what the sets say where they say it, else patterns and a profanity lexicon.

Most sets only say toxic or not. A category is 1 or 0 where a rule is sure, and unknown (None, no loss) elsewhere.
"""

# ruff: noqa: E501 (patterns)

import re
from pathlib import Path

from training.datasets import Row, read_set

LABELS = ("toxic", "insult", "threat", "identity_attack", "obscene", "sexual")
Targets = list[float | None]

_SECOND_PERSON = re.compile(r"\b(?:you|your|you're|youre|ur|u|yourself)\b", re.IGNORECASE)
_THREAT = re.compile(
    r"\b(?:i|we|i'll|we'll|i'm|im|someone|somebody)\b.{0,24}\b(?:kill|murder|shoot|stab|rape|hurt|beat|burn|hunt|behead|hang|"
    r"find|bomb|destroy|break)\b.{0,16}\b(?:you|u|your|ur|them|him|her)\b"
    r"|\b(?:hope|wish) (?:you|they|u|he|she) (?:\w+ ){0,2}(?:die|dies|suffer|burn|get (?:shot|killed|raped|cancer))\b"
    r"|\byou(?:'re| are)? (?:\w+ ){0,2}(?:dead meat|a dead man|going to die|gonna die)\b"
    r"|\b(?:should|must|need to|deserve to) (?:all )?(?:be )?(?:\w+ )?(?:killed|shot|hanged|lynched|gassed|die|raped|exterminated|burned)\b",
    re.IGNORECASE,
)
_IDENTITY = re.compile(
    r"\b(?:muslims?|islam\w*|jews?|jewish|christians?|blacks?|whites?|asians?|chinese|mexicans?|latin[oax]s?|arabs?|africans?|"
    r"immigrants?|refugees?|gays?|lesbians?|trans\w*|queers?|homosexuals?|women|females?|disabled|autistic|indians?)\b",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[a-z0-9*@$!']+")


class Lexicon:
    """Profane words by the category that they give away."""

    def __init__(self, folder: Path) -> None:
        self.obscene: set[str] = set()
        self.sexual: set[str] = set()
        self.slur: set[str] = set()
        self.insult: set[str] = set()
        self.every: set[str] = set()
        for row in read_set(folder, "lexicon/surge_profanity_en"):
            term = str(row["text"]).lower()
            kinds = " ".join(row["category"])
            strong = str(row["severity_desc"]) != "Mild"
            if " " in term:
                continue
            self.every.add(term)
            if strong and ("sexual a" in kinds or "excrement" in kinds):
                self.obscene.add(term)
            if "sexual a" in kinds and "insult" not in kinds:
                self.sexual.add(term)
            if strong and ("racial" in kinds or "orientation" in kinds) and "sexual a" not in kinds:
                self.slur.add(term)
            if "insult" in kinds or "mental" in kinds:
                self.insult.add(term)

    def hits(self, text: str) -> set[str]:
        """The profane words in a text."""
        return set(_WORDS.findall(text.lower())) & self.every


def targets(name: str, row: Row, toxic: float, lexicon: Lexicon) -> Targets:
    """Targets in the order of LABELS; None where nothing is known."""
    text, category = str(row["text"]), str(row.get("category") or "")
    hits = lexicon.hits(text)
    if toxic < 0.5:
        return [toxic, 0.0, 0.0, 0.0, None if hits & lexicon.obscene else 0.0, None if hits & lexicon.sexual else 0.0]
    group_set = name in {"hatemojibuild", "edos_sexism", "implicit_hate_safenlp"} or category == "hate"
    threat = bool(_THREAT.search(text)) or "threat" in category or category.startswith("1.")
    insult: float | None = None
    if hits & lexicon.insult or (hits and _SECOND_PERSON.search(text)) or name == "madlibs":
        insult = 1.0
    elif group_set and not _SECOND_PERSON.search(text):
        insult = 0.0
    identity: float | None = 0.0
    if group_set or hits & lexicon.slur:
        identity = 1.0
    elif _IDENTITY.search(text):
        identity = None
    return [
        1.0,
        insult,
        1.0 if threat else 0.0,
        identity,
        1.0 if hits & lexicon.obscene else 0.0,
        1.0 if hits & lexicon.sexual else 0.0,
    ]
