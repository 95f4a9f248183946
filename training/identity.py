"""Whether toxicity treats groups of people alike: by the group that a text names, or that it is about."""

# ruff: noqa: SIM905 (texts of words)

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training import metrics
from training.datasets import Row, available_sets, part_of, read_set
from training.metrics import Estimate, Floats
from training.report import Score

_TERMS = (
    "african american,middle eastern,eastern european,middle aged,cis,trans,lgbt,lgbtq,female,male,queer,lesbian,"
    "bisexual,gay,heterosexual,nonbinary,homosexual,transgender,straight,latinx,latina,latino,white,chinese,european,mexican,"
    "canadian,japanese,indian,hispanic,asian,black,american,muslim,sikh,jewish,blind,protestant,christian,paralyzed,"
    "taoist,deaf,catholic,buddhist,elderly,young,younger,old,older,teenage,millenial"
).split(",")
_TERM = re.compile(rf"\b(?:{'|'.join(_TERMS)})\b")  # the longer terms come first
_FEWEST = 10
"""Groups with fewer rows of a class say nothing."""


@dataclass(frozen=True, slots=True)
class Group:
    """Texts of one group: how many, how they are ranked and labelled, with `nan` where a class is missing."""

    name: str
    rows: int
    auc: float
    false_alarms: Estimate
    """Share of the benign texts that is flagged."""
    recall: Estimate
    """Share of the toxic texts that is flagged."""
    mean: float
    """Mean score of the benign texts."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Texts that differ in a few words: how much their scores differ, the first less the second."""

    name: str
    pairs: int
    mean: float
    largest: float
    flagged: Estimate
    """Share of the texts of either side that is flagged."""


def terms_in(text: str) -> list[str]:
    """The identity terms of a template sentence."""
    return _TERM.findall(text.lower())


def by_term(folder: Path, score: Score, threshold: float) -> list[Group]:
    """Held-out template sentences that praise, state or insult: all of them, and by the identity that they name."""
    if "intersectional_madlibs_en" not in available_sets(folder, "bias"):
        return []
    rows = [r for r in read_set(folder, "bias/intersectional_madlibs_en") if part_of(str(r["text"])) == "test"]
    scores = score("toxicity", rows)
    members: dict[str, list[int]] = {"all": list(range(len(rows)))}
    for place, row in enumerate(rows):
        for term in terms_in(row["text"]):
            members.setdefault(term, []).append(place)
    groups = [_group(name, [rows[p] for p in own], scores[own], threshold) for name, own in members.items()]
    return [g for g in groups if min(_counts(rows, members[g.name])) >= _FEWEST]


def _counts(rows: Sequence[Row], places: Sequence[int]) -> tuple[int, int]:
    toxic = sum(rows[place]["label"] == 1 for place in places)
    return toxic, len(places) - toxic


def by_topic(folder: Path, score: Score, threshold: float, most: int) -> list[Group]:
    """Sentences of Wikipedia articles about people and ideas, which nobody wrote to harm, by whom they are about."""
    if "bold" not in available_sets(folder, "bias"):
        return []
    members: dict[str, list[Row]] = {}
    for row in read_set(folder, "bias/bold"):
        own = members.setdefault(f"{row['category']}: {row['group']}", [])
        if len(own) < most or not most:
            own.append(row | {"label": 0})
    rows = [row for own in members.values() for row in own]
    scores = score("toxicity", rows)
    starts = np.cumsum([0, *map(len, members.values())])
    parts = zip(members.items(), starts, strict=False)
    groups = [_group(name, own, scores[start : start + len(own)], threshold) for (name, own), start in parts]
    return [group for group in groups if group.rows >= _FEWEST]


def _group(name: str, rows: Sequence[Row], scores: Floats, threshold: float) -> Group:
    labels, flagged = np.array([float(row["label"]) for row in rows]), scores >= threshold
    benign = labels == 0
    return Group(
        name=name,
        rows=len(rows),
        auc=float(metrics.auc(labels, np.nan_to_num(scores), metrics.once(len(rows)))[0]),
        false_alarms=metrics.wilson(int(flagged[benign].sum()), int(benign.sum())),
        recall=metrics.wilson(int(flagged[~benign].sum()), int((~benign).sum())),
        mean=float(np.nanmean(scores[benign])) if benign.any() else float("nan"),
    )


def by_pair(folder: Path, score: Score, threshold: float) -> list[Pairs]:
    """Sentences that differ by a pronoun (Winogender) or by the group named (CrowS-Pairs, the stereotype first)."""
    pairs: dict[str, list[tuple[str, str]]] = {}
    available = available_sets(folder, "bias")
    if "winogender" in available:
        sentences: dict[str, dict[str, str]] = {}
        for row in read_set(folder, "bias/winogender"):
            stem, pronoun, _ = str(row["id"]).rsplit(".", 2)
            sentences.setdefault(stem, {})[pronoun] = row["text"]
        for one, other in (("male", "female"), ("male", "neutral"), ("female", "neutral")):
            name = f"Winogender, {one} less {other} pronoun"
            pairs[name] = [(own[one], own[other]) for own in sentences.values() if one in own and other in own]
    if "crows_pairs" in available:
        for row in read_set(folder, "bias/crows_pairs"):
            name = f"CrowS-Pairs, {row['category']}"
            pairs.setdefault(name, []).append((row["text"], row["text_b"]))
    return [_pairs(name, own, score, threshold) for name, own in pairs.items() if len(own) >= _FEWEST]


def _pairs(name: str, pairs: Sequence[tuple[str, str]], score: Score, threshold: float) -> Pairs:
    scores = score("toxicity", [{"text": text} for pair in pairs for text in pair])
    gaps = scores[::2] - scores[1::2]
    largest = gaps[np.nanargmax(np.abs(gaps))]
    flagged = metrics.wilson(int((scores >= threshold).sum()), len(scores))
    return Pairs(name, len(pairs), float(np.nanmean(gaps)), float(largest), flagged)


def spread(groups: Sequence[Group], of: str) -> tuple[Group, Group]:
    """The groups with the lowest and with the highest share `of` false_alarms or recall."""
    shares: Mapping[str, float] = {g.name: getattr(g, of).value for g in groups}
    return min(groups, key=lambda g: shares[g.name]), max(groups, key=lambda g: shares[g.name])
