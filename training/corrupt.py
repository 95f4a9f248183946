"""Make a grounded sentence ungrounded: other numbers, dates, names, a negation, words of another document."""

# ruff: noqa: ARG001, E501, SIM905 (all tricks take the same arguments; tables of words)

import random
import re

_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w])")
_NAME = re.compile(r"(?<=[a-z,] )(?:[A-Z][a-z]+(?: [A-Z][a-z]+)*)")
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_MONTH = re.compile(r"\b(?:" + "|".join(_MONTHS) + r")\b")
_AUX = re.compile(r"\b(is|are|was|were|can|will|should|has|have|had|does|did|may|must)\b(?! not)")
_OPPOSITE = {
    "increase": "decrease", "decrease": "increase", "higher": "lower", "lower": "higher", "more": "less", "less": "more",
    "before": "after", "after": "before", "first": "last", "last": "first", "largest": "smallest", "oldest": "newest",
    "all": "none", "always": "never", "never": "always", "above": "below", "below": "above", "north": "south", "south": "north",
    "east": "west", "west": "east", "hot": "cold", "cold": "hot", "best": "worst", "high": "low", "low": "high", "many": "few",
    "long": "short", "short": "long", "cheaper": "costlier", "male": "female", "female": "male", "father": "mother", "won": "lost",
    "minutes": "hours", "hours": "days", "days": "weeks", "weeks": "months", "months": "years", "years": "months",
    "open": "closed", "allowed": "forbidden", "include": "exclude", "includes": "excludes", "with": "without", "early": "late",
}  # fmt: skip
_OPPOSITES = re.compile(r"\b(?:" + "|".join(_OPPOSITE) + r")\b")
_STRONGER = {
    "some": "all", "many": "all", "most": "all", "may": "always", "might": "will certainly", "can": "must", "could": "must", "often": "always",
    "usually": "always", "sometimes": "always", "generally": "always", "likely": "certainly", "about": "exactly", "approximately": "exactly",
    "few": "all", "several": "no", "one": "none", "should": "must never", "possibly": "definitely", "probably": "definitely",
}  # fmt: skip
_HEDGES = re.compile(r"\b(?:" + "|".join(_STRONGER) + r")\b")
_ANY_NAME = re.compile(r"\b[A-Z][a-z]{2,}(?: [A-Z][a-z]+)*")
_STARTERS = frozenset(
    "The This That These Those There They It In On At For From And But When While After Before During His Her Its Their".split()
)
_EXTRAS = (
    " in {n} countries", ", according to a {y} study", ", and it won several awards", ", which costs about ${n}", " since {y}",
    ", as confirmed by the World Health Organization", ", mainly in {name}", ", and experts recommend it to everyone",
    ", which made {name} famous", " every {n} days", ", founded by {name} in {y}",
)  # fmt: skip


def corrupt(sentence: str, context: str, names: list[str], rng: random.Random) -> str | None:
    """A version of the sentence that the context no longer supports, or None where no rule applies."""
    tricks = [_number, _name, _month, _negate, _opposite, _addition, _swap, _overstate]
    rng.shuffle(tricks)
    for trick in tricks:
        changed = trick(sentence, context, names, rng)
        if changed and changed != sentence:
            return changed
    return None


def names_in(text: str) -> list[str]:
    """Capitalised names within sentences."""
    return _NAME.findall(text)


def _replace(sentence: str, match: re.Match[str], new: str) -> str:
    return sentence[: match.start()] + new + sentence[match.end() :]


def _number(sentence: str, context: str, names: list[str], rng: random.Random) -> str | None:
    found = list(_NUMBER.finditer(sentence))
    if not found:
        return None
    match = rng.choice(found)
    text = match.group()
    for _ in range(8):
        digits = list(text)
        places = [i for i, c in enumerate(digits) if c.isdigit()]
        for place in rng.sample(places, min(len(places), rng.randint(1, 2))):
            digits[place] = str(rng.randint(1, 9))
        new = "".join(digits)
        if new != text and new not in context:
            return _replace(sentence, match, new)
    return None


def _name(sentence: str, context: str, names: list[str], rng: random.Random) -> str | None:
    found = list(_NAME.finditer(sentence))
    others = [n for n in names if n not in sentence and (n not in context or rng.random() < 0.4)]
    if not found or not others:
        return None
    return _replace(sentence, rng.choice(found), rng.choice(others))


def _month(sentence: str, context: str, names: list[str], rng: random.Random) -> str | None:
    match = _MONTH.search(sentence)
    if not match:
        return None
    return _replace(sentence, match, rng.choice([m for m in _MONTHS if m not in context] or _MONTHS))


def _negate(sentence: str, context: str, names: list[str], rng: random.Random) -> str | None:
    if " not " in sentence:
        return sentence.replace(" not ", " ", 1)
    match = _AUX.search(sentence)
    return _replace(sentence, match, match.group() + " not") if match else None


def _opposite(sentence: str, context: str, names: list[str], rng: random.Random) -> str | None:
    found = list(_OPPOSITES.finditer(sentence))
    if not found:
        return None
    match = rng.choice(found)
    return _replace(sentence, match, _OPPOSITE[match.group()])


def _addition(sentence: str, context: str, names: list[str], rng: random.Random) -> str | None:
    others = [n for n in names if n not in context]
    if not others or rng.random() < 0.5:
        return None
    extra = rng.choice(_EXTRAS).format(n=rng.randint(2, 90), y=rng.randint(1950, 2023), name=rng.choice(others))
    return sentence.rstrip(" .") + extra + "."


def _swap(sentence: str, context: str, names: list[str], rng: random.Random) -> str | None:
    """Exchange two names or two numbers: every word stays, only who did what to whom changes."""
    for pattern in rng.sample((_ANY_NAME, _NUMBER), 2):
        found = [m for m in pattern.finditer(sentence) if m.group() not in _STARTERS]
        if len(found) >= 2 and found[0].group() != found[-1].group():
            first, last = found[0], found[-1]
            middle = sentence[first.end() : last.start()]
            if pattern is _ANY_NAME and re.fullmatch(r"\W*(?:and|or|,)?\W*", middle):
                continue  # "Ann and Bob" says the same the other way round
            return sentence[: first.start()] + last.group() + middle + first.group() + sentence[last.end() :]
    return None


def _overstate(sentence: str, context: str, names: list[str], rng: random.Random) -> str | None:
    """Claim more than the evidence does: "some" becomes "all", "may" becomes "always"."""
    found = list(_HEDGES.finditer(sentence))
    if not found:
        return None
    match = rng.choice(found)
    return _replace(sentence, match, _STRONGER[match.group()])
