"""A linear model over word pieces and pairs of them, added to the toxicity logit inside the same graph.

The encoder is better on comments like those that it learned from, counting words is not worse on those of another
origin, and each is wrong about other texts.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, hstack
from sklearn.linear_model import SGDClassifier

from otel_agent_eval.processors.plain import plain
from training.batches import collate, load_tokenizer
from training.datasets import read_set
from training.examples import Example
from training.model import base_folder, build
from training.published import published_words
from training.toxicity_data import plain_toxicity_examples
from training.words import PIECES, ROWS, WINDOW, WordWeights, pairs_of, read

ALPHA, EPOCHS = 1e-5, 6
_FRAMES = (
    "{}",
    "you {}",
    "what a {}",
    "{} off",
    "shut up {}",
    "they are all {}",
    "this is {}",
    "oh {}",
    "I said {}",
    "{}!",
)
SAMPLE, SPREAD, PUBLISHED = 1500, 0.3, 0.35
"""Training texts by which our words, and those of `published`, are given so much of the encoder's spread.

More costs on sets like those trained on, above all adversarial ones; less costs on others.
"""


def fit(examples: Sequence[Example], tokenizer_path: str, seed: int) -> WordWeights:
    """Logistic regression by stochastic descent on the examples of the toxicity head.

    Letter n-grams of the pieces are features too, so that "idiotic" learns from "idiot"; being functions of the piece,
    their weights end up in its row.
    """
    texts = read([e.a for e in examples], tokenizer_path)
    single = _counts(texts, PIECES)
    grams = _letters(tokenizer_path)
    blocks = [single, _counts([pairs_of(ids) for ids in texts], ROWS), single @ grams]
    length = diags([1 / len(ids) ** 0.5 for ids in texts])
    scaled, scales = [], []
    for block in blocks:
        seen = np.asarray((block > 0).sum(axis=0)).ravel()
        # Rare features learn as fast as frequent ones; those seen in one text only are left out.
        scale = np.where(seen > 1, np.log(len(texts) / np.maximum(1, seen)), 0.0)
        whole = length @ block @ diags(scale)
        unit = 1 / float(np.sqrt(whole.multiply(whole).sum(axis=1)).mean())
        scaled.append(whole * unit)
        scales.append(scale * unit)
    model = SGDClassifier(loss="log_loss", alpha=ALPHA, max_iter=EPOCHS, tol=None, random_state=seed, average=True)
    labels = [int(e.targets[0] or 0) for e in examples]
    model.fit(hstack(scaled, format="csr"), labels, sample_weight=[e.weight for e in examples])
    single_w, pair_w, gram_w = np.split(model.coef_[0] * np.concatenate(scales), [PIECES, PIECES + ROWS])
    return WordWeights((single_w + grams @ gram_w).astype(np.float32), pair_w.astype(np.float32))


def _profane(folder: Path, tokenizer_path: str, seed: int) -> list[Example]:
    """Strong words of the profanity list, a few of which stand in any of the sets, in plain company."""
    rng = random.Random(seed)
    words = load_tokenizer(tokenizer_path).get_vocab()
    strong = [str(r["text"]) for r in read_set(folder, "lexicon/surge_profanity_en") if r["severity_desc"] != "Mild"]
    texts = [frame.format(term) for term in strong for frame in rng.sample(_FRAMES, 3)]
    return [Example(plain(text, words.__contains__), None, (1.0,), 0.5) for text in texts]


def _counts(rows: Sequence[NDArray[np.int64]], width: int) -> Any:  # noqa: ANN401 (scipy is not typed)
    ends = np.concatenate(([0], np.cumsum([len(row) for row in rows])))
    matrix = csr_matrix((np.ones(ends[-1], np.float32), np.concatenate(rows), ends), shape=(len(rows), width))
    matrix.sum_duplicates()
    return matrix


def _letters(tokenizer_path: str) -> Any:  # noqa: ANN401 (scipy is not typed)
    """Which n-grams of three to five letters each piece has: [PIECES, n-grams]."""
    vocabulary = load_tokenizer(tokenizer_path).get_vocab()
    known: dict[str, int] = {}
    rows: list[NDArray[np.int64]] = [np.zeros(0, np.int64)] * PIECES
    for piece, number in vocabulary.items():
        if piece.startswith("["):
            continue
        word = piece.removeprefix("##") + " " if piece.startswith("##") else f" {piece} "
        grams = {word[i : i + n] for n in (3, 4, 5) for i in range(len(word) - n + 1)}
        rows[number] = np.array([known.setdefault(gram, len(known)) for gram in sorted(grams)], dtype=np.int64)
    return _counts(rows, len(known))


def main() -> None:
    """Fit, and scale the words by the spread of the encoder's logits over the training texts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True, help="the encoder and its heads")
    parser.add_argument("--out", type=Path, required=True, help=".npz to write")
    parser.add_argument("--seed", type=int, default=20240607)
    options = parser.parse_args()
    path = str(base_folder() / "tokenizer.json")
    examples = plain_toxicity_examples(options.data, options.seed) + _profane(options.data, path, options.seed)
    lexical = fit(examples, path, options.seed)
    texts = [e.a for e in examples[:SAMPLE]]
    spread = float(_encoder_logits(options.checkpoint, texts, path).std())
    parts = []
    for words, part in ((lexical, SPREAD), (published_words(path), PUBLISHED)):
        own = float(words.logits(texts, path).std())
        parts.append(words.times(part * spread / own))
        print(f"toxicity: spread of the encoder {spread:.3f}, of words {own:.3f}, share {part * spread / own:.3f}")
    WordWeights(sum(p.pieces for p in parts), sum(p.pairs for p in parts)).save(options.out)


def _encoder_logits(checkpoint: Path, texts: Sequence[str], path: str) -> NDArray[np.float64]:
    model = build(checkpoint).eval()
    encoded = load_tokenizer(path, WINDOW).encode_batch(list(texts))
    order = sorted(range(len(texts)), key=lambda i: len(encoded[i].ids))
    found = np.zeros(len(texts))
    for start in range(0, len(order), 32):
        chosen = order[start : start + 32]
        batch = collate("toxicity", [Example("", None, (0.0,))] * len(chosen), [encoded[i] for i in chosen])
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            features = model.features(**batch.inputs)
        with torch.no_grad():
            found[chosen] = model.heads["toxicity"](features.float())[:, 0].numpy()
    return found


if __name__ == "__main__":
    main()
