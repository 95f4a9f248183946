"""ONNX files in OpenVINO, on the CPU: the extra `openvino`, for processors that multiply in bf16."""

from pathlib import Path
from queue import LifoQueue
from threading import Lock
from typing import Any, Final

import numpy as np

from otel_agent_eval.models.runtime import FloatArray, ModelError, TokenBatch, check_inputs

_ALONE: Final = Lock()
_SMALLEST: Final = TokenBatch(*(np.full((1, 1), value, dtype=np.int64) for value in (0, 1, 0)))


class OpenVinoRuntime:
    """One loaded file; up to `threads` runs go side by side, each on one core."""

    def __init__(self, path: Path, threads: int, precision: str) -> None:
        import openvino  # noqa: PLC0415 (an extra, and slow to import)

        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": threads,
            "ENABLE_CPU_PINNING": False,  # the cores are shared with the rest of the gateway, and of the machine
        }
        try:
            core = openvino.Core()
            model = core.compile_model(core.read_model(path), "CPU", settings)
        except Exception as error:
            raise ModelError(f"{path} cannot be loaded by OpenVINO ({type(error).__name__})") from error
        self._inputs = {value.any_name for value in model.inputs}
        check_inputs(path, self._inputs)
        self.outputs = tuple(value.any_name for value in model.outputs)
        """The names of the model's outputs."""
        self._free: LifoQueue[Any] = LifoQueue()
        for _ in range(threads):
            self._free.put(model.create_infer_request())
        # The first arrays that OpenVINO's binding meets make it fill a table under a lock of its own, for which it lets
        # go of the interpreter's: two threads that come first together wait for each other for ever (seen in 2026.4).
        try:
            with _ALONE:
                self.run(_SMALLEST, self.outputs[0])
        except Exception as error:
            raise ModelError(f"{path} does not run in OpenVINO ({type(error).__name__})") from error

    def run(self, batch: TokenBatch, output: str) -> FloatArray:
        """Return one of the model's outputs, of shape [batch, values] or [batch, sequence, values]."""
        feed = {name: array for name, array in batch.by_name().items() if name in self._inputs}
        request = self._free.get()
        try:
            request.infer(feed, share_inputs=True)
            return np.array(request.get_tensor(output).data, dtype=np.float32)
        finally:
            self._free.put(request)
