"""ONNX files in ONNX Runtime, on the CPU: what comes with the package."""

from pathlib import Path

import onnxruntime as ort

from otel_agent_eval.models.processor import processor_features
from otel_agent_eval.models.runtime import INPUTS, FloatArray, ModelError, TokenBatch

_EXACT_INT8 = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})


class OnnxRuntime:
    """One loaded file; `threads` is the number of cores that one run may use.

    Threads do not spin: an idle gateway costs nothing. With one thread a run stays in the thread that asks for it, so
    several can run side by side.
    """

    def __init__(self, path: Path, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only; they are raised as well
        for key, value in {
            "session.intra_op.allow_spinning": "0",
            # Weights stored as int8 are widened once, at load, instead of being taken for a quantised graph: where the
            # file does not say otherwise the arithmetic stays in fp32, and a score does not depend on its batch.
            "session.disable_quant_qdq": "1",
            # Processors without these instructions add products of int8 in 16 bits and overflow: there they are
            # multiplied by other means, which elsewhere would take more than twice as long.
            "session.x64quantprecision": "0" if processor_features() & _EXACT_INT8 else "1",
        }.items():
            options.add_session_config_entry(key, value)
        try:
            self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own classes, which it does not export
            raise ModelError(f"{path} cannot be loaded as an ONNX model ({type(error).__name__})") from error
        self._inputs = {value.name for value in self._session.get_inputs()}
        if not {"input_ids"} <= self._inputs <= INPUTS:
            raise ModelError(f"{path} has the inputs {sorted(self._inputs)}, not {sorted(INPUTS)}")

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the model's outputs."""
        return tuple(value.name for value in self._session.get_outputs())

    def run(self, batch: TokenBatch, output: str) -> FloatArray:
        """Return one of the model's outputs, of shape [batch, values]."""
        feed = {name: array for name, array in batch.by_name().items() if name in self._inputs}
        found: FloatArray = self._session.run([output], feed)[0]
        return found
