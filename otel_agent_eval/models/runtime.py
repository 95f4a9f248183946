"""What runs a model: arrays of token ids in, an array for each output out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]

INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})
"""What a model may read; `input_ids` it must."""


class ModelError(Exception):
    """A model's files are missing, damaged or of another kind than they claim, or what should run them is not there."""


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Padded token ids: three arrays of shape [batch, sequence]; `type_ids` is 1 in the second text of a pair."""

    input_ids: IntArray
    attention_mask: IntArray
    type_ids: IntArray

    def by_name(self) -> dict[str, IntArray]:
        """Return the arrays by the names that models give them."""
        return {
            "input_ids": self.input_ids,
            "attention_mask": self.attention_mask,
            "token_type_ids": self.type_ids,
        }


class Runtime(Protocol):
    """Runs one loaded model. Safe to call from several threads."""

    def run(self, batch: TokenBatch, output: str) -> FloatArray:
        """Return one of the model's outputs, of shape [batch, values]."""
        ...
