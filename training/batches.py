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

MAX_TOKENS = {"toxicity": 160, "support": 256, "relevance": 192, "match": 128}
QUESTION_TOKENS = 48

WIDTHS = (16, 24, 32, 48, 64, 96, 128, 160, 192, 224, 256)
TOKENS_PER_BATCH = 2560


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


def plan(examples: dict[str, list[Example]], path: str, seed: int) -> list[tuple[str, list[int], list[Any]]]:
    """One epoch: batches of similar lengths in a seeded order, heads mixed."""
    rng = random.Random(seed)
    batches: list[tuple[str, list[int], list[Any]]] = []
    for head, items in examples.items():
        tokenizer = load_tokenizer(path, MAX_TOKENS[head])
        # "match" compares two texts read apart, and is shelved by the answer.
        apart = head == "match"
        encoded = tokenizer.encode_batch([e.a if e.b is None else e.b if apart else (e.a, e.b) for e in items])
        shelves: dict[int, list[int]] = {}
        order = list(range(len(items)))
        rng.shuffle(order)
        for i in order:
            shelves.setdefault(_width(len(encoded[i].ids)), []).append(i)
        for width, shelf in shelves.items():
            rows = min(32, _rows(width)) if apart else _rows(width)
            # Only full batches: matrix kernels are compiled once for each shape.
            for start in range(0, len(shelf) - rows + 1, rows):
                chosen = shelf[start : start + rows]
                batches.append((head, chosen, [encoded[i] for i in chosen]))
    rng.shuffle(batches)
    return batches


def _width(length: int) -> int:
    return next(width for width in WIDTHS if width >= length)


def _rows(width: int) -> int:
    return min(64, TOKENS_PER_BATCH // width)


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
    """Epoch after epoch of batches."""
    epoch = 0
    questions = load_tokenizer(path, QUESTION_TOKENS)
    while True:
        for head, chosen, encodings in plan(examples, path, seed + epoch):
            rows = [examples[head][i] for i in chosen]
            asked = questions.encode_batch([e.a for e in rows]) if head == "match" else None
            yield collate(head, rows, encodings, asked)
        epoch += 1
