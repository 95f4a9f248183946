"""Training examples for the relevance head: does this answer address this question?"""

# ruff: noqa: E501, PERF401 (tables of texts)

import random
from pathlib import Path

from otel_agent_eval.processors.evidence import content_words
from otel_agent_eval.processors.sentences import split_sentences
from training.datasets import documents_of, read_set, rows_of
from training.examples import Example
from training.templates import relevance_pair

_MAX_ANSWER_WORDS = 100
_MAX_TURNS = 2_000
_REFUSALS = (
    "I don't have information about that.", "I'm sorry, I can't help with that.", "I don't know.", "I am unable to answer this question.",
    "I'm afraid I cannot answer that based on the documents.", "Sorry, I do not have access to that data.",
)  # fmt: skip
_CHATTER = (
    "Thank you for your message!", "Is there anything else I can help you with?", "Have a great day!", "Sure, happy to help.",
    "Great question!", "Hello, how are you today?", "As an AI language model I was made to assist people.",
)  # fmt: skip


def relevance_examples(folder: Path, seed: int) -> list[Example]:
    """All examples, seeded."""
    rng = random.Random(seed)
    pairs = _positive_pairs(folder)
    rng.shuffle(pairs)
    examples: list[Example] = []
    for name, weight in (("qnli_dev", 1.0), ("clapnq_dev", 0.7)):
        for row in rows_of(folder, "relevance", name, "train"):
            examples.append(_example(row["question"], row["answer"], float(row["label"]), weight))
    answers = [answer for _, answer in pairs]
    words = [content_words(answer) for answer in answers]
    for position, (question, answer) in enumerate(pairs):
        examples.append(_example(question, answer, 1.0, 1.0))
        asked = content_words(question)
        # One random negative, one of those (of 200) that share most words with the question.
        pool = [rng.randrange(len(pairs)) for _ in range(200)]
        pool = [i for i in pool if pairs[i][0] != question]
        hard = max(pool, key=lambda i: len(asked & words[i]) / (5 + len(words[i])) ** 0.5)
        examples.append(_example(question, answers[hard], 0.0, 0.8))
        if position % 2:
            examples.append(_example(question, answers[pool[0]], 0.0, 0.8))
        if position % 12 == 0:
            # A refusal is on the topic of nothing: see "Refusals" in the README for how they are scored.
            examples.append(_example(question, rng.choice(_REFUSALS), 0.0, 0.5))
        if position % 12 == 6:
            examples.append(_example(question, rng.choice(_CHATTER), 0.0, 0.7))
    examples += _pronoun_answers(folder, rng)
    examples += _dialogue(folder, rng)
    rng.shuffle(examples)
    return examples


def _positive_pairs(folder: Path) -> list[tuple[str, str]]:
    """Questions with an answer that addresses them, of every length: short answers, sentences, paragraphs."""
    pairs: list[tuple[str, str]] = []
    for position, row in enumerate(rows_of(folder, "faithfulness", "ragtruth_qa_train", "train")):
        if row["quality"] != "good" or "unable to" in row["answer"].lower():
            continue
        parts = [s.text for s in split_sentences(row["answer"])]
        if position % 4 == 0:
            pairs.append((row["question"], row["answer"]))
        elif position % 4 == 1 and parts:
            pairs.append((row["question"], parts[0] if not parts[0].endswith(":") else " ".join(parts[:2])))
    for row in rows_of(folder, "relevance", "clapnq_dev", "train"):
        if row["label"] == 1:
            pairs.append((row["question"], row["answer"]))
    # A wrong answer can still address the question: HaluEval's hallucinated answers are relevant too.
    for row in rows_of(folder, "faithfulness", "halueval_qa_slice", "train"):
        pairs.append((row["question"], row["answer"]))
    for row in rows_of(folder, "relevance", "qnli_dev", "train"):
        if row["label"] == 1:
            pairs.append((row["question"], row["answer"]))
    return pairs


def _pronoun_answers(folder: Path, rng: random.Random) -> list[Example]:
    """Short answers that name their subject only by a pronoun share no word with their question."""
    rows = [r for r in rows_of(folder, "faithfulness", "halueval_qa_slice", "train") if len(r["answer"].split()) <= 6]
    found = []
    for row, other in zip(rows, rows[5:] + rows[:5], strict=True):
        frame = rng.choice(
            ("It is {}.", "It was {}.", "That would be {}.", "{}.", "They said {}.", "It happened in {}.")
        )
        found.append(_example(row["question"], frame.format(row["answer"]), 1.0, 1.0))
        if row["question"] != other["question"] and row["answer"] != other["answer"]:
            found.append(_example(row["question"], frame.format(other["answer"]), 0.0, 0.4))
    return found


def _dialogue(folder: Path, rng: random.Random) -> list[Example]:
    """Replies to turns of a dialogue, against replies to other turns."""
    found = []
    turns = _turns(folder, rng)[:_MAX_TURNS]
    for position, (turn, reply) in enumerate(turns):
        found.append(_example(turn, reply, 1.0, 0.6))
        found.append(_example(turn, turns[position - 1][1], 0.0, 0.6))
    return found


def _turns(folder: Path, rng: random.Random) -> list[tuple[str, str]]:
    turns: list[tuple[str, str]] = []
    for row in read_set(folder, "toxicity/diasafety_train"):
        if row["split"] == "train":
            turns.append((documents_of(row)[-1], row["text"]))
    for row in rows_of(folder, "faithfulness", "begin_dev", "train"):
        if row["question"] and row["category"] != "Generic":
            turns.append((row["question"], row["answer"]))
    rng.shuffle(turns)
    return turns


def kept_texts(folder: Path, seed: int) -> list[Example]:
    """Questions, answers and sentences whose embedding should stay where the base model has it."""
    rng = random.Random(seed + 1)
    texts = {text for pair in _positive_pairs(folder) + _turns(folder, rng) for text in pair}
    for row in rows_of(folder, "faithfulness", "ragtruth_qa_train", "train")[::4]:  # four answers share their documents
        texts.update(sentence.text for document in documents_of(row) for sentence in split_sentences(document))
    texts.update(row["answer"] for row in rows_of(folder, "faithfulness", "snli_test", "train"))
    return [Example(text, None, (None,)) for text in sorted(texts)]


def _example(question: str, answer: str, label: float, weight: float) -> Example:
    a, b = relevance_pair(question, " ".join(answer.split()[:_MAX_ANSWER_WORDS]))
    return Example(a, b, (label,), weight)
