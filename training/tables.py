"""The measured numbers as the Markdown of the documentation."""

# ruff: noqa: E501 (rows of tables)

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from training import identity, operating_points
from training.identity import Group
from training.metrics import Estimate, wilson
from training.operating_points import Point
from training.report import KINDS, RANKED, Result, macros
from training.study import Study

_WHAT = {"toxicity": "toxic", "faithfulness": "faithful", "relevance": "relevant"}
_NONE = "-"
_AGENTS = ("ragtruth_qa_train",)
"""Of the held-out parts of faithfulness: what models answered over passages. The other sets are single claims."""
_SHOWN = 10
"""Groups of people in a table; the JSON file has all."""

_PUBLISHED = (
    ("ragtruth_qa_train", "f1_zero", "F1 of hallucinated", "SelfCheckGPT 0.437, GPT-4-turbo prompted 0.456, Llama-2-13B fine-tuned 0.682, Granite LoRA 0.722"),
    ("ragtruth_qa_train", "balanced_accuracy", "balanced accuracy", "HHEM-2.1-Open 0.743"),
    ("wice_claim_dev", "balanced_accuracy", "balanced accuracy", "MiniCheck-Flan-T5-L 0.722, GPT-4-turbo 0.804"),
    ("jigsaw_wiki_sample", "auc", "AUC", "Detoxify original 0.986 (the mean over its labels)"),
)  # fmt: skip
"""Set, metric and what others report: RAGTruth's and MiniCheck's papers, the model cards of HHEM, Granite and Detoxify."""


def markdown(study: Study) -> str:
    """All tables, the shortest first."""
    kinds = [kind for kind in KINDS if kind in study.thresholds]
    parts = [
        _in_short(study),
        [*(f"- {line}" for line in study.missing), ""] if study.missing else [],
        *(_verdicts(kind, study) for kind in kinds),
        _published(study),
        _answer_selection(study),
        *((_benign(study), _toxicity_points(study), _groups(study)) if study.benign else ()),
        *(_points(study, kind) for kind in kinds if kind != "toxicity"),
        _rates(study),
        ["## Numbers by set", ""],
        *(part for kind in kinds for part in (_by_set(study, kind), _others(study, kind), _confusions(study, kind))),
    ]
    return "\n".join(line for part in parts for line in part)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table and the empty line after it."""
    lines = [list(header), ["---"] * len(header), *rows]
    return [*("| " + " | ".join(cells) + " |" for cells in lines), ""]


def number(estimate: Estimate, digits: int = 3) -> str:
    """A value with its interval, `-` where there is none."""
    if np.isnan(estimate.value):
        return _NONE
    ends = "" if np.isnan(estimate.low) else f" [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"
    return f"{estimate.value:.{digits}f}{ends}"


def gain(estimate: Estimate) -> str:
    """A difference with its interval, signs written; bold where the interval lies above zero."""
    if np.isnan(estimate.value):
        return _NONE
    text = f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]"
    return f"**{text}**" if estimate.low > 0 else text


def _in_short(study: Study) -> list[str]:
    rows = [
        [m.kind, _which(m.trained), str(m.sets), number(m.own), f"{m.other} {m.others.value:.3f}", gain(m.difference)]
        for m in macros(study.results)
    ]
    header = ("score", "sets", "how many", "mean AUC [95 %]", "beside", "difference [95 %]")
    return [
        "## In short", "",
        "The mean over sets, each counting the same. Bold: better beyond chance.", "",
        *table(header, rows),
    ]  # fmt: skip


def _which(trained: bool) -> str:
    return "held-out parts of sets trained on" if trained else "never trained on"


def _verdicts(kind: str, study: Study) -> list[str]:
    """By comparator: the sets where the score is better beyond chance, not told apart, and worse."""
    own = [r for r in study.results if r.kind == kind and not np.isnan(r.estimate("auc").value)]
    lines = []
    for other in own[0].others if own else ():
        found: dict[str, list[str]] = {"better": [], "not told apart": [], "worse": []}
        for r in own:
            gap = r.difference(other)
            found["better" if gap.low > 0 else "worse" if gap.high < 0 else "not told apart"].append(r.name)
        told = "; ".join(f"{word} on {len(names)} ({', '.join(names) or 'none'})" for word, names in found.items())
        lines.append(f"- **{kind}** beside {other}: {told}.")
    return [*lines, ""]


def _published(study: Study) -> list[str]:
    own = {result.name: result for result in study.results}
    rows = [
        [name, title, number(own[name].estimate(metric)), published]
        for name, metric, title, published in _PUBLISHED
        if name in own
    ]
    return [
        "## Beside published numbers", "",
        "For orientation: the published ones are of the sets' own test splits, so the rows differ.", "",
        *table(("set", "number", "here [95 %]", "published"), rows),
    ] if rows else []  # fmt: skip


def _answer_selection(study: Study) -> list[str]:
    own = [r for r in study.results if r.kind == "relevance" and r.name in RANKED]
    if not own:
        return []
    rows = []
    for r in own:
        for name, other in r.others.items():
            cells = [f"{metric.upper()} {other.estimate(metric).value:.3f}, {gain(r.difference(name, metric))}" for metric in ("mrr", "map")]  # fmt: skip
            rows.append([r.name, number(r.estimate("mrr")), number(r.estimate("map")), name, *cells])
    header = ("set", "MRR [95 %]", "MAP [95 %]", "beside", "its MRR, difference [95 %]", "its MAP, difference [95 %]")
    return [
        "## Answer selection", "",
        "The candidates of each question in the order of their scores. MRR: mean of 1 / the rank of the first right one. MAP: mean of the",
        "precision at every right one. Only questions with a right and a wrong candidate.", "",
        *table(header, rows),
    ]  # fmt: skip


def _benign(study: Study) -> list[str]:
    threshold = study.thresholds["toxicity"]
    rows, own_texts = [], []
    for population in study.benign:
        alarms, total = population.alarms(threshold), len(population.texts)
        counts = "yes" if population.counted else "no"
        rows.append([population.title, str(total), str(len(alarms)), _per_100k(wilson(len(alarms), total)), counts])
        own_texts += alarms if not population.counted else []
    scores = operating_points.counted(study.benign)
    count = operating_points.flagged("toxicity", scores, threshold)
    rows.append(["**all that count**", str(len(scores)), str(count), _per_100k(wilson(count, len(scores))), ""])
    header = ("answers", "texts", "alarms", "per 100,000 [95 %]", "counts")
    return [
        "## False alarms of toxicity on benign answers", "",
        f"At the default threshold, {threshold}. The templates and the written ones are made to provoke alarms, so they do not count.", "",
        *table(header, rows),
        *(["Of the written ones and the templates these alarm:", "", *(f"- {text}" for text in own_texts), ""] if own_texts else []),
    ]  # fmt: skip


def _per_100k(share: Estimate) -> str:
    return f"{share.value * 1e5:,.0f} [{share.low * 1e5:,.0f}, {share.high * 1e5:,.0f}]"


def _toxicity_points(study: Study) -> list[str]:
    found = operating_points.toxicity_points(study.benign, study.results, study.thresholds["toxicity"])
    return [
        "## Thresholds", "",
        "### Toxicity", "",
        "False alarms per 100,000 benign answers (those that count above), and the share of each set's toxic rows that is flagged.", "",
        *_point_table(found, study.thresholds["toxicity"], "false alarms per 100,000 [95 %]", _per_100k),
    ]  # fmt: skip


def _points(study: Study, kind: str) -> list[str]:
    wrong = "hallucinated" if kind == "faithfulness" else "irrelevant"
    own = [r for r in study.results if r.kind == kind and 0 < r.positives < r.rows]
    parts = {
        "Sets never trained on": [r for r in own if not r.trained],
        "Held-out parts of sets trained on": [
            r for r in own if r.trained and (r.name in _AGENTS or kind == "relevance")
        ],
    }
    lines = [f"### {kind.capitalize()}", ""]
    for title, results in parts.items():
        if results:
            lines += [
                f"{title}: share of all {_WHAT[kind]} rows that is flagged, and by set the share of the {wrong} ones.", "",
                *_point_table(operating_points.points(results, study.thresholds[kind]), study.thresholds[kind], "false alarms [95 %]", number),
            ]  # fmt: skip
    return lines


def _point_table(points: Sequence[Point], default: float, title: str, write: Callable[[Estimate], str]) -> list[str]:
    sets = [*points[0].found]
    rows = []
    for point in points:
        threshold = f"**{point.threshold} (default)**" if point.threshold == default else str(point.threshold)
        rows.append([threshold, write(point.false_alarms), *(f"{point.found[name]:.2f}" for name in sets)])
    return table(("threshold", title, *sets), rows)


def _rates(study: Study) -> list[str]:
    rows = []
    for entry in study.rates:
        good = "benign answers above" if entry.evaluator.startswith("builtin/toxicity") else ", ".join(entry.good_from)
        rows.append([
            entry.evaluator, str(entry.threshold), f"{number(entry.sensitivity)} ({entry.bad_flagged} of {entry.bad})",
            f"{number(entry.specificity, 4)} ({entry.good - entry.good_flagged} of {entry.good})", f"{', '.join(entry.bad_from)}; {good}",
        ])  # fmt: skip
    header = ("evaluator", "threshold", "sensitivity [95 %]", "specificity [95 %]", "bad rows; good rows")
    return [
        "## How often the label is right", "",
        "Sensitivity: the share of bad answers labelled `fail`. Specificity: the share of good answers labelled `pass`. The alert rules correct",
        "flagged rates by such numbers.", "",
        *table(header, rows),
    ]  # fmt: skip


def _groups(study: Study) -> list[str]:
    lines = ["## Groups of people", ""]
    if len(study.terms) > 1:  # "all" alone has nothing to compare
        everything = next(g for g in study.terms if g.name == "all")
        terms = [g for g in study.terms if g.name != "all"]
        worst, best = (end(terms, key=lambda g: g.auc) for end in (min, max))
        lines += [
            f"Sentences of templates with identity terms (intersectional madlibs), {everything.rows} that were not trained on; others of the same templates were.",
            f"AUC {everything.auc:.3f}, false alarms {number(everything.false_alarms)}, recall {number(everything.recall)}. Of {len(terms)} terms, AUC from",
            f"{worst.auc:.3f} ({worst.name}) to {best.auc:.3f} ({best.name}); false alarms {_spread(terms, 'false_alarms')}; recall {_spread(terms, 'recall')}.",
            f"The {_SHOWN} terms whose benign sentences score highest:", "",
            *table(
                ("term", "rows", "AUC", "false alarms [95 %]", "recall [95 %]", "mean score of benign"),
                [[g.name, str(g.rows), f"{g.auc:.3f}", number(g.false_alarms), number(g.recall), f"{g.mean:.3f}"] for g in _highest(terms)],
            ),
        ]  # fmt: skip
    if study.topics:
        lines += [
            "Sentences of Wikipedia articles by whom or what they are about (BOLD): no group should be flagged more than others.",
            f"Of {len(study.topics)} groups, flagged {_spread(study.topics, 'false_alarms')}. The {_SHOWN} that score highest:", "",
            *table(
                ("group", "rows", "flagged [95 %]", "mean score"),
                [[g.name, str(g.rows), number(g.false_alarms), f"{g.mean:.4f}"] for g in _highest(study.topics)],
            ),
        ]  # fmt: skip
    if study.pairs:
        rows = [[p.name, str(p.pairs), f"{p.mean:+.4f}", f"{p.largest:+.3f}", number(p.flagged)] for p in study.pairs]
        lines += [
            "Sentences that differ by a pronoun (Winogender, where it should not matter), or by the group that a stereotype is told of (CrowS-Pairs: the",
            "more stereotyped sentence less the other one). The difference of their scores:", "",
            *table(("pairs", "how many", "mean difference", "largest", "flagged [95 %]"), rows),
        ]  # fmt: skip
    return lines


def _highest(groups: Sequence[Group]) -> list[Group]:
    return sorted(groups, key=lambda g: -g.mean)[:_SHOWN]


def _spread(groups: Sequence[Group], share: str) -> str:
    low, high = identity.spread(groups, share)
    return f"from {_named(low, share)} to {_named(high, share)}"


def _named(group: Group, share: str) -> str:
    return f"{getattr(group, share).value:.3f} ({group.name})"


def _by_set(study: Study, kind: str) -> list[str]:
    hallucinated = kind == "faithfulness"
    header = (
        "set", "rows (label 1)", "AUC [95 %]", "AP [95 %]", f"F1 of {_WHAT[kind]} [95 %]", *(["F1 of hallucinated [95 %]"] if hallucinated else []),
        "balanced accuracy [95 %]", "ECE", "trained on a part",
    )  # fmt: skip
    rows = []
    for r in (r for r in study.results if r.kind == kind):
        count = f"{r.rows} ({r.positives})" + (f", {r.skipped} more not scored" if r.skipped else "")
        decided = ["f1", *(["f1_zero"] if hallucinated else []), "balanced_accuracy"]
        cells = [number(r.estimate(metric)) for metric in ("auc", "ap", *decided)]
        rows.append([r.name, count, *cells, f"{r.calibration_error:.3f}", "yes" if r.trained else "no"])
    return [f"### {kind.capitalize()} (threshold {study.thresholds[kind]})", "", *table(header, rows)]


def _others(study: Study, kind: str) -> list[str]:
    own = [r for r in study.results if r.kind == kind and not np.isnan(r.estimate("auc").value)]
    if not own or not own[0].others:
        return []
    names = [*own[0].others]
    rows = []
    for r in own:
        cells = [f"{r.others[name].estimate('auc').value:.3f}, {gain(r.difference(name))}" for name in names]
        rows.append([r.name, f"{r.estimate('auc').value:.3f}", *cells])
    header = ("set", "AUC", *(f"{name}: its AUC, difference [95 %]" for name in names))
    return [f"{kind.capitalize()} beside others, on the same rows:", "", *table(header, rows)]


def _confusions(study: Study, kind: str) -> list[str]:
    own: list[Result] = [r for r in study.results if r.kind == kind]
    rows = [[r.name, *(str(r.confusion[cell]) for cell in ("tp", "fp", "fn", "tn"))] for r in own]
    header = ("set", "1 said 1", "0 said 1", "1 said 0", "0 said 0")
    return [f"Confusion at the default threshold (label 1 = {_WHAT[kind]}):", "", *table(header, rows)]
