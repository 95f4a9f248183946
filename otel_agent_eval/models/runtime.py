"""What runs a model: arrays of token ids in, an array for each output out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]


class ModelError(Exception):
    """A model's files are missing, damaged or of another kind than they claim."""


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Padded token ids: three arrays of shape [batch, sequence]; `type_ids` is 1 in the second text of a pair."""

    input_ids: IntArray
    attention_mask: IntArray
    type_ids: IntArray


class Runtime(Protocol):
    """Runs one loaded model. Safe to call from several threads."""

    def run(self, batch: TokenBatch, output: str) -> FloatArray:
        """Return one of the model's outputs, of shape [batch, values]."""
        ...


class OnnxRuntime:
    """ONNX Runtime on the CPU.

    `threads` is the number of cores one run may use. Threads do not spin: an idle gateway costs nothing.
    """

    def __init__(self, path: Path, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only; they are raised as well
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Weights stored as int8 are widened once, at load, instead of being taken for a quantised graph: the arithmetic
        # stays in fp32, and a score does not depend on its batch.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        try:
            self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own classes, which it does not export
            raise ModelError(f"{path} cannot be loaded as an ONNX model ({type(error).__name__})") from error
        known = {"input_ids", "attention_mask", "token_type_ids"}
        self._inputs = {value.name for value in self._session.get_inputs()}
        if not {"input_ids"} <= self._inputs <= known:
            raise ModelError(f"{path} has the inputs {sorted(self._inputs)}, not {sorted(known)}")

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the model's outputs."""
        return tuple(value.name for value in self._session.get_outputs())

    def run(self, batch: TokenBatch, output: str) -> FloatArray:
        """Return one of the model's outputs, of shape [batch, values]."""
        feed = {
            "input_ids": batch.input_ids,
            "attention_mask": batch.attention_mask,
            "token_type_ids": batch.type_ids,
        }
        found: FloatArray = self._session.run([output], {name: feed[name] for name in self._inputs})[0]
        return found
