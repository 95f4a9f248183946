"""ONNX files in ONNX Runtime, on the CPU: what comes with the package."""

from pathlib import Path

import onnxruntime as ort

from otel_agent_eval.models.processor import EXACT_INT8, processor_features
from otel_agent_eval.models.runtime import FloatArray, ModelError, TokenBatch, check_inputs


class OnnxRuntime:
    """One loaded file. A run stays in the thread that asks for it, so there is no pool whose threads could spin."""

    def __init__(self, path: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only; they are raised as well
        for key, value in {
            # Weights stored as int8 are widened once, at load, instead of being taken for a quantised graph: where the
            # file does not say otherwise the arithmetic stays in fp32, and a score does not depend on its batch.
            "session.disable_quant_qdq": "1",
            # Processors without these instructions add products of int8 in 16 bits and overflow: there they are
            # multiplied by other means, which elsewhere would take more than twice as long.
            "session.x64quantprecision": "0" if processor_features() & EXACT_INT8 else "1",
        }.items():
            options.add_session_config_entry(key, value)
        try:
            self._session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own classes, which it does not export
            raise ModelError(f"{path} cannot be loaded as an ONNX model ({type(error).__name__})") from error
        self._inputs = {value.name for value in self._session.get_inputs()}
        check_inputs(path, self._inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the model's outputs."""
        return tuple(value.name for value in self._session.get_outputs())

    def run(self, batch: TokenBatch, output: str) -> FloatArray:
        """Return one of the model's outputs, of shape [batch, values] or [batch, sequence, values]."""
        feed = {name: array for name, array in batch.by_name().items() if name in self._inputs}
        found: FloatArray = self._session.run([output], feed)[0]
        return found
