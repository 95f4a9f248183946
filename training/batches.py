"""Tokenise examples and cut them into batches of about the same number of tokens."""

# ruff: noqa: ANN401 (tokenizers is not typed)

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer

from training.examples import Example
from training.templates import mark_unseen

MAX_TOKENS = {"toxicity": 112, "support": 232, "relevance": 160, "keep": 96}

STEP = 8
"""Batches are as wide as a multiple of this: matrix kernels are compiled once for each shape."""
TOKENS_PER_BATCH, ROWS_PER_BATCH = 2560, 64
POOL = 48 * ROWS_PER_BATCH
"""Rows that are sorted by length together: similar lengths meet in a batch, and the order stays random on the whole."""
SHARES = {"toxicity": 1.0, "support": 0.70, "relevance": 0.20, "keep": 0.10}
"""What part of all tokens the heads of one encoder are trained with, however many examples they have."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of the model, and targets with their weights (0 where nothing is known)."""

    head: str
    inputs: dict[str, torch.Tensor]
    targets: torch.Tensor
    weights: torch.Tensor

    @property
    def tokens(self) -> int:
        """Places computed, padding included."""
        return self.inputs["input_ids"].numel()


def load_tokenizer(path: str, max_tokens: int | None = None) -> Any:
    """The tokenizer without padding, cut at ``max_tokens`` from the longer segment's end."""
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if max_tokens:
        tokenizer.enable_truncation(max_tokens, strategy="longest_first")
    return tokenizer


def stream(head: str, items: list[Example], path: str, seed: int) -> Iterator[Batch]:
    """Batches of one head without end: similar lengths together, everything else in a seeded order."""
    rng = random.Random(seed)
    tokenizer = load_tokenizer(path, MAX_TOKENS[head])
    order: list[int] = []
    while True:
        while len(order) < POOL:
            order += rng.sample(range(len(items)), len(items))
        pool, order = order[:POOL], order[POOL:]
        rows = [items[i] for i in pool]
        read = tokenizer.encode_batch([e.a if e.b is None else (e.a, e.b) for e in rows])
        pairs = sorted(zip(rows, read, strict=True), key=lambda pair: len(pair[1].ids))
        for batch in _cut(pairs, rng):
            yield collate(head, [example for example, _ in batch], [encoding for _, encoding in batch])


def _cut(pairs: list[Any], rng: random.Random) -> list[list[Any]]:
    batches: list[list[Any]] = [[]]
    for pair in pairs:
        if len(batches[-1]) >= min(ROWS_PER_BATCH, TOKENS_PER_BATCH // _width(len(pair[1].ids))):
            batches.append([])
        batches[-1].append(pair)
    rng.shuffle(batches)
    return batches


def _width(length: int) -> int:
    return max(2 * STEP, -(-length // STEP) * STEP)


def collate(head: str, examples: list[Example], encodings: list[Any]) -> Batch:
    """Tensors of one batch."""
    targets = torch.tensor([[t if t is not None else 0.0 for t in e.targets] for e in examples])
    weights = torch.tensor([[0.0 if t is None else e.weight for t in e.targets] for e in examples])
    return Batch(head, _tensors(encodings, marked=head == "support"), targets, weights)


def _tensors(encodings: list[Any], marked: bool) -> dict[str, torch.Tensor]:
    width = _width(max(len(e.ids) for e in encodings))
    kinds = [mark_unseen(e.ids, e.type_ids) if marked else e.type_ids for e in encodings]
    return {
        "input_ids": torch.tensor([e.ids + [0] * (width - len(e.ids)) for e in encodings]),
        "attention_mask": torch.tensor([[1] * len(e.ids) + [0] * (width - len(e.ids)) for e in encodings]),
        "token_type_ids": torch.tensor([kind + [0] * (width - len(kind)) for kind in kinds]),
    }


def endless(examples: dict[str, list[Example]], path: str, seed: int) -> Iterator[Batch]:
    """Batches of all heads, always of the one that is furthest behind its share of the tokens."""
    streams = {head: stream(head, items, path, seed + i) for i, (head, items) in enumerate(examples.items())}
    seen = dict.fromkeys(streams, 0)
    while True:
        head = min(streams, key=lambda name: seen[name] / SHARES[name])
        batch = next(streams[head])
        seen[head] += batch.tokens
        yield batch
