"""Training examples for the support head: does this evidence support this sentence?"""

import itertools
import math
import random
from pathlib import Path

from otel_agent_eval.processors.evidence import EvidenceIndex
from otel_agent_eval.processors.sentences import claims
from training.corrupt import corrupt, names_in
from training.datasets import Row, context_text, documents_of, rows_of
from training.examples import Example
from training.paraphrase import paraphrase
from training.templates import support_pair

# set -> (how often each row is read, weight): entailment pairs, read as they are.
_PAIRS: dict[str, tuple[float, float]] = {
    "snli_test": (2.0, 0.8),
    "conjnli_train15k": (1.0, 0.4),
    "monotonicity_med_help": (1.0, 0.3),
    "fever_symmetric": (3.0, 1.0),
    "begin_dev": (4.0, 1.0),
    "wice_tokens_train": (1.0, 0.7),
}
_EVIDENCE_WORDS = (25, 45, 70, 110)
"""Evidence of many lengths: that of a deployment may be one sentence or many."""


def support_examples(folder: Path, seed: int) -> list[Example]:
    """All examples, seeded."""
    rng = random.Random(seed)
    examples: list[Example] = []
    for name, (times, weight) in _PAIRS.items():
        rows = rows_of(folder, "faithfulness", name, "train")
        rng.shuffle(rows)
        for row in (rows * math.ceil(times))[: int(len(rows) * times)]:
            evidence = EvidenceIndex(documents_of(row)).select(row["answer"], max_words=rng.choice((70, 110))).text
            question = None if name == "begin_dev" else row.get("question")
            a, b = support_pair(evidence, row["answer"], question)
            examples.append(Example(a, b, (float(row["label"]),), weight))
    examples += _foreign_pairs(folder, rng)
    examples += _passage_claims(folder, rng)
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


def _foreign_pairs(folder: Path, rng: random.Random) -> list[Example]:
    """Claims beside another claim's evidence: a claim that shares nothing with what it is read with is unsupported."""
    found = []
    for name, count in (("snli_test", 600), ("fever_symmetric", 300), ("begin_dev", 150)):
        rows = rng.sample(rows_of(folder, "faithfulness", name, "train"), count)
        for row, other in itertools.pairwise(rows):
            found.append(Example(*support_pair(context_text(other), row["answer"], None), (0.0,), 0.7))
    return found


def _grounded_answers(folder: Path, rng: random.Random) -> list[Example]:
    """Sentences of RAG answers: as they are, corrupted, and read against another question's passages."""
    everything = rows_of(folder, "faithfulness", "ragtruth_qa_train", "train")
    everything += rows_of(folder, "faithfulness", "clapnq_dev_positive", "train")
    rng.shuffle(everything)
    names = [name for row in everything[:1500] for name in names_in(context_text(row))]
    examples: list[Example] = []
    for position, row in enumerate(everything):
        index, context = EvidenceIndex(documents_of(row)), context_text(row)
        others = rng.sample(names, 60)
        foreign = everything[position - 1]
        for sentence, label in _labelled_sentences(row):
            if label is None:
                continue
            if label == 0.0:  # real hallucinations are rare: each is read with three lengths of evidence
                examples += [_example(index, sentence, row, 0.0, 1.0, words) for words in (45, 70, 110)]
                continue
            chance = rng.random()
            if chance < 0.85:
                examples.append(_example(index, sentence, row, 1.0, 1.0, rng.choice(_EVIDENCE_WORDS[1:])))
            if chance < 0.20:
                changed = corrupt(sentence, context, others, rng)
                if changed:
                    examples.append(_example(index, changed, row, 0.0, 0.8, rng.choice(_EVIDENCE_WORDS)))
            elif chance < 0.26 and foreign["question"] != row["question"]:
                away = EvidenceIndex(documents_of(foreign))
                examples.append(_example(away, sentence, foreign, 0.0, 0.7, rng.choice(_EVIDENCE_WORDS)))
    return examples


def _passage_claims(folder: Path, rng: random.Random) -> list[Example]:
    """Sentences of passages as claims: said in other words, corrupted, or beside all but themselves.

    The three differ in what decides: the words, one detail, and whether it was said at all.
    """
    rows = [*rows_of(folder, "faithfulness", "ragtruth_qa_train", "train")[::4]]  # four answers share a question
    rows += rows_of(folder, "faithfulness", "clapnq_dev_positive", "train")
    rows += [r for r in rows_of(folder, "faithfulness", "halueval_qa_slice", "train") if r["label"] == 1]
    passages = [documents_of(row) for row in rows]
    asked = rows_of(folder, "relevance", "qnli_dev", "train")
    passages += [[row["answer"]] for row in asked]
    rng.shuffle(passages)
    names = [name for documents in passages[:1500] for name in names_in(" ".join(documents))]
    examples = []
    for documents in passages:
        context, others = " ".join(documents), rng.sample(names, 60)
        own = [s.text for s in claims(context) if 6 <= len(s.text.split()) <= 45]
        for sentence in rng.sample(own, min(3, len(own))):
            size = rng.choice(_EVIDENCE_WORDS)
            index = EvidenceIndex(documents)
            said = paraphrase(sentence, rng)
            examples.append(Example(index.select(said, max_words=size).text, said, (1.0,), 0.7))
            changed = corrupt(said if rng.random() < 0.7 else sentence, context, others, rng)
            if changed:
                examples.append(Example(index.select(changed, max_words=size).text, changed, (0.0,), 0.8))
            rest = EvidenceIndex([d.replace(sentence, " ") for d in documents]).select(said, max_words=size).text
            if len(rest.split()) > 8:
                examples.append(Example(rest, said, (0.0,), 0.7))
    return examples


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


def _example(index: EvidenceIndex, sentence: str, row: Row, label: float, weight: float, words: int) -> Example:
    a, b = support_pair(index.select(sentence, row["question"] or "", words).text, sentence, row["question"])
    return Example(a, b, (label,), weight)
