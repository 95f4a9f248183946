"""Training examples for the toxicity head: which sets, how many rows of each, with what weight."""

import random
import re
from dataclasses import replace
from pathlib import Path

from otel_agent_eval.processors.plain import plain
from training.batches import load_tokenizer
from training.benign import benign_texts
from training.benign_codes import code_texts
from training.contrast import contrast_examples
from training.datasets import Row, normal, part_of, read_set, rows_of, texts_outside_training
from training.disguise import disguise, hide_one, with_emoji
from training.examples import Example
from training.hostile import hostile_examples
from training.model import base_folder
from training.weak_labels import Lexicon, targets

MAX_CHARS = 600
CODES = 2500
"""Lists of identifiers and numbers."""
_MENTION = re.compile(r"@\w+|\[?\bUSER\b\]?|https?://\S+|\[?\bURL\b\]?")
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")

# set -> (rows at most, weight). Davidson's labels carry a dialect bias, EDOS knows only sexism: both count less.
_PLAN: dict[str, tuple[int, float]] = {
    "jigsaw_wiki_sample": (20_000, 1.0),
    "paradetox_pairs": (25_000, 0.8),
    "hatemojibuild": (20_000, 1.0),
    "implicit_hate_safenlp": (20_000, 0.8),
    "davidson_tweets": (14_000, 0.5),
    "edos_sexism": (10_000, 0.5),
    "toxic_spans_civil": (9_000, 0.7),
    "context_toxicity_wiki": (9_000, 0.8),
}


def clean(text: str) -> str:
    """Mentions and links say which set a row is from; without them the head cannot learn that."""
    return " ".join(_MENTION.sub(" ", text).split())[:MAX_CHARS]


def toxicity_examples(folder: Path, seed: int) -> list[Example]:
    """All examples, seeded."""
    rng = random.Random(seed)
    lexicon = Lexicon(folder)
    outside = texts_outside_training(folder)
    examples: list[Example] = []
    for name, (limit, weight) in _PLAN.items():
        rows = [r for r in rows_of(folder, "toxicity", name, "train") if normal(r["text"]) not in outside]
        rng.shuffle(rows)
        for row in _chosen(name, rows, limit, lexicon):
            toxic = float(row["label"])
            text = clean(row["text"])
            if len(text) < 2:
                continue
            labels = tuple(targets(name, row, toxic, lexicon))
            examples.append(Example(text, None, labels, weight))
            chance = rng.random()
            if toxic and chance < 0.10:
                examples.append(Example(disguise(text, lexicon, rng), None, labels, weight))
            elif chance > 0.97:
                examples.append(Example(with_emoji(text, rng), None, labels, weight))
            elif not toxic and chance > 0.94:  # a disguise alone is no sign
                examples.append(Example(hide_one(text, rng), None, labels, weight))
            if name == "hatemojibuild":  # few, and the hardest: read twice as often
                examples.append(examples[-1])
            if name == "toxic_spans_civil":
                examples.extend(_clean_sentences(row, lexicon))
    examples += _identity_rows(folder, rng, lexicon)
    examples += _agent_rows(folder, seed)
    examples += hostile_examples(seed) + contrast_examples(seed)
    rng.shuffle(examples)
    return examples


def plain_toxicity_examples(folder: Path, seed: int) -> list[Example]:
    """The same as the head reads them: without disguises."""
    words = load_tokenizer(str(base_folder() / "tokenizer.json")).get_vocab()
    return [replace(e, a=plain(e.a, words.__contains__)) for e in toxicity_examples(folder, seed)]


def _chosen(name: str, rows: list[Row], limit: int, lexicon: Lexicon) -> list[Row]:
    if name == "edos_sexism":  # "not sexist" is no proof of clean: keep such rows only where no profane word is
        rows = [r for r in rows if r["label"] == 1 or not lexicon.hits(r["text"])]
    if name == "davidson_tweets":
        offensive = [r for r in rows if r["category"] == "offensive"][: limit // 3]
        rows = [r for r in rows if r["category"] != "offensive"] + offensive
    if name == "context_toxicity_wiki":
        rows = [r for r in rows if r["label"] == 0 and float(r["perspective"] or 0) < 0.5]
    return rows[:limit]


def _clean_sentences(row: Row, lexicon: Lexicon) -> list[Example]:
    """Sentences of a toxic post that no rater marked: the only benign text of that forum that there is."""
    spans = row.get("spans")
    if not spans or len(row["text"]) < 120:
        return []
    found = []
    for match in _SENTENCE.finditer(row["text"]):
        marked = any(start < match.end() and end > match.start() for start, end in spans)
        text = clean(match.group())
        if not marked and len(text.split()) >= 6 and not lexicon.hits(text):
            found.append(Example(text, None, (0.0,) * 6, 0.5))
    return found[:2]


def _identity_rows(folder: Path, rng: random.Random, lexicon: Lexicon) -> list[Example]:
    rows = read_set(folder, "bias/intersectional_madlibs_en")
    rows = [r for r in rows if part_of(str(r["text"])) == "train"]
    picked = rng.sample([r for r in rows if r["label"] == 0], 900) + rng.sample(
        [r for r in rows if r["label"] == 1], 700
    )
    return [Example(r["text"], None, tuple(targets("madlibs", r, float(r["label"]), lexicon)), 0.7) for r in picked]


def agent_answers(folder: Path, part: str) -> list[str]:
    """Real answers of agents and grounded human answers, none of them toxic."""
    texts = [r["answer"] for r in rows_of(folder, "faithfulness", "ragtruth_qa_train", part)]
    texts += [r["answer"] for r in rows_of(folder, "faithfulness", "clapnq_dev_positive", part)]
    texts += [r["answer"] for r in rows_of(folder, "faithfulness", "halueval_qa_slice", part)]
    return texts


def _agent_rows(folder: Path, seed: int) -> list[Example]:
    rng = random.Random(seed + 1)
    nothing = (0.0,) * 6
    templates = [text for text in benign_texts(seed) if part_of(text) == "train"]
    answers = agent_answers(folder, "train")
    rng.shuffle(answers)
    pieces = [_piece(text, rng) for text in answers[:2500]]
    texts = 2 * templates + pieces + _plain_prose(folder, rng) + [text[:MAX_CHARS] for text in code_texts(seed, CODES)]
    return [Example(text, None, nothing, 1.0) for text in texts]


def _plain_prose(folder: Path, rng: random.Random) -> list[str]:
    """Encyclopedia sentences, captions of pictures and replies of a dialogue: what benign text looks like elsewhere."""
    texts: list[str] = []
    for name, count in (("conjnli_train15k", 1500), ("snli_test", 1000), ("fever_symmetric", 300), ("begin_dev", 200)):
        texts += [row["answer"] for row in rng.sample(rows_of(folder, "faithfulness", name, "train"), count)]
    texts += [row["answer"] for row in rng.sample(rows_of(folder, "relevance", "qnli_dev", "train"), 1500)]
    return texts


def _piece(text: str, rng: random.Random) -> str:
    """A window of an answer, since long answers are read in windows."""
    words = text.split()
    size = rng.choice((20, 40, 80))
    start = rng.randrange(max(1, len(words) - size))
    return " ".join(words[start : start + size])
