"""Which runtime an ONNX file runs in: one rule, the same on every replica of the same installation and processor."""

import logging
from collections.abc import Set as AbstractSet
from importlib.metadata import PackageNotFoundError, version
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final, Literal

from otel_agent_eval.models.onnx_runtime import OnnxRuntime
from otel_agent_eval.models.openvino_runtime import OpenVinoRuntime
from otel_agent_eval.models.processor import processor_features
from otel_agent_eval.models.runtime import FileRuntime, ModelError

_log = logging.getLogger(__name__)

Wanted = Literal["auto", "onnxruntime", "openvino", "torch"]
"""A runtime by name, or `auto` to let the rule decide."""

_BF16: Final = frozenset({"amx_bf16", "avx512_bf16"})
_NEEDED: Final = {"onnxruntime": (), "openvino": ("openvino",), "torch": ("torch", "onnx")}
"""What a runtime takes that may not be installed."""


def choose_runtime(
    wanted: Wanted, features: AbstractSet[str], *, openvino_installed: bool, in_integers: bool
) -> Wanted:
    """Return the runtime for a file and a processor.

    That is OpenVINO where it is installed and gains: for a file multiplied in floats, on a processor that multiplies in
    bf16. Else it is ONNX Runtime.
    """
    if wanted != "auto":
        return wanted
    return "openvino" if openvino_installed and features & _BF16 and not in_integers else "onnxruntime"


def load_runtime(path: Path, threads: int, wanted: Wanted = "auto") -> FileRuntime:
    """Load an ONNX file where it shall run, for up to `threads` runs side by side, each on one core; log where.

    Raises `ModelError`.
    """
    features = processor_features()
    installed = bool(_version("openvino"))
    name = choose_runtime(wanted, features, openvino_installed=installed, in_integers=multiplies_integers(path))
    if not all(map(_version, _NEEDED[name])):
        raise ModelError(f"the runtime {name} is not installed: pip install 'otel-agent-eval[{name}]'")
    runtime: FileRuntime
    precision = "as in the file"
    if name == "openvino":
        precision = "bf16" if features & _BF16 else "f32"
        runtime = OpenVinoRuntime(path, threads, precision)
    elif name == "torch":
        from otel_agent_eval.models.torch_runtime import TorchRuntime  # noqa: PLC0415 (an extra, and slow to import)

        runtime = TorchRuntime(path)
    else:
        runtime = OnnxRuntime(path)
    facts = {"runtime": name, "version": _version(name), "precision": precision, "threads": threads}
    _log.info("model runtime", extra=facts | {"model": path.parent.name, "processor": " ".join(sorted(features))})
    return runtime


def multiplies_integers(path: Path) -> bool:
    """Tell whether an ONNX file has a matrix product in integers; of a file that is no such file, no."""
    return _mentions(path, b"MatMulInteger")


def quantizes_by_batch(path: Path) -> bool:
    """Tell whether an ONNX file finds the steps of its integers in what it runs: its outputs depend on the batch."""
    return _mentions(path, b"DynamicQuantize")


def _mentions(path: Path, operation: bytes) -> bool:
    try:
        with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            return content.find(operation) >= 0
    except (OSError, ValueError):  # missing or empty: whoever loads it says so
        return False


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
