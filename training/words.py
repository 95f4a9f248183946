"""Weights of word pieces and of pairs of them, as the graph adds them to the toxicity logit."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.batches import load_tokenizer

PIECES, ROWS, PAIR = 30_522, 1 << 19, 48_611
"""Word pieces; rows of the table of pairs; the multiplier of the hash that gives a pair its row."""
WINDOW = 160


@dataclass(frozen=True, slots=True)
class WordWeights:
    """Weights of single pieces [PIECES] and of pairs [ROWS], in logits."""

    pieces: NDArray[np.float32]
    pairs: NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Write an .npz file."""
        np.savez(path, pieces=self.pieces, pairs=self.pairs)

    @classmethod
    def load(cls, path: Path) -> "WordWeights":
        """Read what ``save`` wrote."""
        with np.load(path) as arrays:
            return cls(arrays["pieces"], arrays["pairs"])

    def times(self, share: float) -> "WordWeights":
        """The same, counting ``share`` times as much."""
        return WordWeights(self.pieces * np.float32(share), self.pairs * np.float32(share))

    def logits(self, texts: Sequence[str], tokenizer_path: str) -> NDArray[np.float64]:
        """As the graph computes them: the sum over a text, divided by the root of its length."""
        found = []
        for ids in read(texts, tokenizer_path):
            total = self.pieces[ids].sum(dtype=np.float64) + self.pairs[pairs_of(ids)].sum(dtype=np.float64)
            found.append(total / len(ids) ** 0.5)
        return np.array(found)


def read(texts: Sequence[str], tokenizer_path: str) -> list[NDArray[np.int64]]:
    """Return the piece ids of each text, the first window of it."""
    tokenizer = load_tokenizer(tokenizer_path, WINDOW)
    return [np.array(e.ids, dtype=np.int64) for e in tokenizer.encode_batch(list(texts))]


def pairs_of(ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of the pairs in a text."""
    return (ids[:-1] * PAIR + ids[1:]) % ROWS
