"""What runs a model: arrays of token ids in, an array for each output out."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
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
    """Runs one loaded model; a run takes one core. Safe to call from several threads."""

    def run(self, batch: TokenBatch, output: str) -> FloatArray:
        """Return one of the model's outputs, of shape [batch, values] or [batch, sequence, values]."""
        ...


class FileRuntime(Runtime, Protocol):
    """Runs an ONNX file."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the model's outputs."""
        ...


def check_inputs(path: Path, names: Collection[str]) -> None:
    """Raise `ModelError` unless a file reads what models of texts read."""
    if not {"input_ids"} <= set(names) <= INPUTS:
        raise ModelError(f"{path} has the inputs {sorted(names)}, not {sorted(INPUTS)}")
