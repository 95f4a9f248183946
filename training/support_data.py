"""Training examples for the support head: does this evidence support this sentence?"""

import itertools
import random
from pathlib import Path

from otel_agent_eval.processors.evidence import EvidenceIndex
from otel_agent_eval.processors.sentences import claims
from training.corrupt import corrupt, names_in
from training.datasets import Row, context_text, documents_of, rows_of
from training.examples import Example
from training.templates import support_pair

# set -> (rows at most, weight): entailment pairs, read as they are.
_PAIRS: dict[str, tuple[int, float]] = {
    "snli_test": (6_000, 0.5),
    "conjnli_train15k": (5_000, 0.6),
    "monotonicity_med_help": (2_500, 0.4),
    "fever_symmetric": (2_000, 1.0),
    "begin_dev": (400, 1.0),
    "wice_tokens_train": (400, 0.7),
}
_MAX_SUPPORTED = 8_000
_MAX_UNSUPPORTED = 8_000


def support_examples(folder: Path, seed: int) -> list[Example]:
    """All examples, seeded."""
    rng = random.Random(seed)
    examples: list[Example] = []
    for name, (limit, weight) in _PAIRS.items():
        rows = rows_of(folder, "faithfulness", name, "train")
        rng.shuffle(rows)
        for row in rows[:limit]:
            evidence = EvidenceIndex(documents_of(row)).select(row["answer"]).text
            question = None if name == "begin_dev" else row.get("question")
            a, b = support_pair(evidence, row["answer"], question)
            examples.append(Example(a, b, (float(row["label"]),), weight))
    examples += _short_answers(folder)
    examples += _grounded_answers(folder, rng)
    rng.shuffle(examples)
    return examples


def _short_answers(folder: Path) -> list[Example]:
    """Right and wrong short answers, which need their question; a right answer is also tried with another's context."""
    found = []
    rows = rows_of(folder, "faithfulness", "halueval_qa_slice", "train")
    for row in rows:
        evidence = EvidenceIndex(documents_of(row)).select(row["answer"], row["question"]).text
        a, b = support_pair(evidence, row["answer"], row["question"])
        found.append(Example(a, b, (float(row["label"]),), 1.0))
    right = [row for row in rows if row["label"] == 1]
    for row, other in itertools.pairwise(right):
        evidence = EvidenceIndex(documents_of(row)).select(other["answer"], row["question"]).text
        a, b = support_pair(evidence, other["answer"], row["question"])
        found.append(Example(a, b, (0.0,), 0.7))
    return found


def _grounded_answers(folder: Path, rng: random.Random) -> list[Example]:  # noqa: C901 (one pass, four cases)
    """Sentences of RAG answers: as they are, corrupted, and read against another question's passages."""
    rows = rows_of(folder, "faithfulness", "ragtruth_qa_train", "train")
    grounded = rows_of(folder, "faithfulness", "clapnq_dev_positive", "train")
    everything = rows + grounded
    rng.shuffle(everything)
    names = [name for row in everything[:1500] for name in names_in(context_text(row))]
    supported: list[Example] = []
    unsupported: list[Example] = []
    for position, row in enumerate(everything):
        index, context = EvidenceIndex(documents_of(row)), context_text(row)
        others = rng.sample(names, 60)
        for sentence, label in _labelled_sentences(row):
            if label is None:
                continue
            if label == 0.0:
                unsupported.append(_example(index, sentence, row, 0.0, 1.0))
                continue
            supported.append(_example(index, sentence, row, 1.0, 1.0))
            chance = rng.random()
            if chance < 0.30:
                changed = corrupt(sentence, context, others, rng)
                if changed:
                    unsupported.append(_example(index, changed, row, 0.0, 0.8))
            elif chance < 0.40:
                foreign = everything[position - 1]
                if foreign["question"] != row["question"]:
                    unsupported.append(_example(EvidenceIndex(documents_of(foreign)), sentence, foreign, 0.0, 0.7))
        # The passages' own sentences: supported by definition, and the best ground for corruptions.
        if position % 3 == 0:
            own = [s.text for s in claims(context) if 6 <= len(s.text.split()) <= 40]
            for sentence in rng.sample(own, min(2, len(own))):
                changed = corrupt(sentence, context, others, rng)
                if changed:
                    unsupported.append(_example(index, changed, row, 0.0, 0.8))
                    supported.append(_example(index, sentence, row, 1.0, 0.6))
    rng.shuffle(supported)
    # RAGTruth's own hallucinations are rare and real: keep them all, fill up with made ones.
    unsupported.sort(key=lambda example: -example.weight)
    return supported[:_MAX_SUPPORTED] + unsupported[:_MAX_UNSUPPORTED]


def _labelled_sentences(row: Row) -> list[tuple[str, float | None]]:
    """Claim sentences with 0 where they overlap a marked span; None where a span only grazes them."""
    found: list[tuple[str, float | None]] = []
    for sentence in claims(row["answer"]):
        label: float | None = 1.0
        for span in row.get("spans") or []:
            overlap = min(sentence.end, span["end"]) - max(sentence.start, span["start"])
            if overlap >= 4:
                label = 0.0
                break
            if overlap > 0:
                label = None
        found.append((sentence.text, label))
    return found


def _example(index: EvidenceIndex, sentence: str, row: Row, label: float, weight: float) -> Example:
    a, b = support_pair(index.select(sentence, row["question"] or "").text, sentence, row["question"])
    return Example(a, b, (label,), weight)
