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

MAX_TOKENS = {"toxicity": 112, "support": 232, "relevance": 160, "match": 112}
QUESTION_TOKENS = 48

STEP = 8
"""Batches are as wide as a multiple of this: matrix kernels are compiled once for each shape."""
TOKENS_PER_BATCH, ROWS_PER_BATCH = 2560, 64
POOL = 48 * ROWS_PER_BATCH
"""Rows that are sorted by length together: similar lengths meet in a batch, and the order stays random on the whole."""
SHARES = {"toxicity": 0.42, "support": 0.46, "relevance": 0.09, "match": 0.03}
"""What part of all tokens each head is trained with, however many examples it has."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Inputs of the model, and targets with their weights (0 where nothing is known)."""

    head: str
    inputs: dict[str, torch.Tensor]
    targets: torch.Tensor
    weights: torch.Tensor
    questions: dict[str, torch.Tensor] | None = None

    @property
    def tokens(self) -> int:
        """Places computed, padding included."""
        asked = self.questions["input_ids"].numel() if self.questions else 0
        return self.inputs["input_ids"].numel() + asked


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
    tokenizer, questions = load_tokenizer(path, MAX_TOKENS[head]), load_tokenizer(path, QUESTION_TOKENS)
    # "match" compares two texts read apart, and is sorted by the answer.
    apart = head == "match"
    order: list[int] = []
    while True:
        while len(order) < POOL:
            order += rng.sample(range(len(items)), len(items))
        pool, order = order[:POOL], order[POOL:]
        rows = [items[i] for i in pool]
        read = tokenizer.encode_batch([e.a if e.b is None else e.b if apart else (e.a, e.b) for e in rows])
        pairs = sorted(zip(rows, read, strict=True), key=lambda pair: len(pair[1].ids))
        for batch in _cut(pairs, rng, ROWS_PER_BATCH // 2 if apart else ROWS_PER_BATCH):
            examples = [example for example, _ in batch]
            asked = questions.encode_batch([e.a for e in examples]) if apart else None
            yield collate(head, examples, [encoding for _, encoding in batch], asked)


def _cut(pairs: list[Any], rng: random.Random, most: int) -> list[list[Any]]:
    batches: list[list[Any]] = [[]]
    for pair in pairs:
        if len(batches[-1]) >= min(most, TOKENS_PER_BATCH // _width(len(pair[1].ids))):
            batches.append([])
        batches[-1].append(pair)
    rng.shuffle(batches)
    return batches


def _width(length: int) -> int:
    return max(2 * STEP, -(-length // STEP) * STEP)


def collate(head: str, examples: list[Example], encodings: list[Any], asked: list[Any] | None = None) -> Batch:
    """Tensors of one batch."""
    targets = torch.tensor([[t if t is not None else 0.0 for t in e.targets] for e in examples])
    weights = torch.tensor([[0.0 if t is None else e.weight for t in e.targets] for e in examples])
    inputs = _tensors(encodings, marked=head == "support")
    return Batch(head, inputs, targets, weights, _tensors(asked, QUESTION_TOKENS) if asked else None)


def _tensors(encodings: list[Any], width: int = 0, marked: bool = False) -> dict[str, torch.Tensor]:
    width = width or _width(max(len(e.ids) for e in encodings))
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
