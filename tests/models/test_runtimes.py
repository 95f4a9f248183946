import importlib.util
import logging
import math
import pickle
import re
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import current_thread

import numpy as np
import pytest
from quoted_rows import INTERACTIONS

from otel_agent_eval.evaluation import Evaluation, Evaluator, Scored
from otel_agent_eval.models import runtimes
from otel_agent_eval.models.batching import pad
from otel_agent_eval.models.builtin import builtin_folder, load_builtin
from otel_agent_eval.models.model import Model, sigmoid
from otel_agent_eval.models.openvino_runtime import OpenVinoRuntime
from otel_agent_eval.models.runtime import FloatArray, ModelError, TokenBatch
from otel_agent_eval.models.runtimes import Wanted, choose_runtime, load_runtime, multiplies_integers
from otel_agent_eval.processors.registry import load_evaluators

INSTALLED: list[Wanted] = ["onnxruntime"]
if importlib.util.find_spec("openvino"):
    INSTALLED.append("openvino")
if importlib.util.find_spec("torch") and importlib.util.find_spec("onnx"):
    INSTALLED.append("torch")

NAMES = ("toxicity", "input_toxicity", "faithfulness", "relevance", "context_relevance")
APART: dict[Wanted, float] = {"openvino": 0.1, "torch": 0.02}
"""How far a score may lie from that of ONNX Runtime: OpenVINO multiplies in bf16, torch rounds otherwise at times."""
AMONG: dict[Wanted, float] = {"onnxruntime": 0.001, "openvino": 0.02, "torch": 0.001}
"""How far a score may lie from that of the same answer among others: bf16 is rounded otherwise beside padding."""


ANSWERS = [interaction.answer for interaction in INTERACTIONS]


def rows_of_tokens(model: Model) -> TokenBatch:
    """The answers of the rows, as one batch."""
    return pad([model.tokenizer.single(ids) for ids in model.tokenizer.encode(ANSWERS)], model.tokenizer.padding)


@cache
def scores(runtime: Wanted, order: str) -> dict[str, list[float]]:
    """The scores of the rows by evaluator, NaN for none. Models are loaded anew: what was read is remembered."""
    return {
        evaluator.name: [one.score if isinstance(one, Scored) else math.nan for one in ORDERS[order](evaluator)]
        for evaluator in load_evaluators(NAMES, threads=2, runtime=runtime)
    }


ORDERS: dict[str, Callable[[Evaluator], list[Evaluation]]] = {
    "together": lambda evaluator: evaluator.evaluate(INTERACTIONS),
    "alone": lambda evaluator: [evaluator.evaluate([one])[0] for one in INTERACTIONS],
    "backwards": lambda evaluator: evaluator.evaluate(INTERACTIONS[::-1])[::-1],
}


@pytest.mark.parametrize(
    ("wanted", "features", "installed", "integers", "chosen"),
    [
        ("auto", {"amx_bf16"}, True, False, "openvino"),
        ("auto", {"avx512_bf16"}, True, False, "openvino"),
        ("auto", {"amx_bf16"}, True, True, "onnxruntime"),
        ("auto", {"avx512_vnni", "avx2"}, True, False, "onnxruntime"),
        ("auto", {"amx_bf16"}, False, False, "onnxruntime"),
        ("auto", set(), True, False, "onnxruntime"),
        ("onnxruntime", {"amx_bf16"}, True, False, "onnxruntime"),
        ("openvino", set(), True, True, "openvino"),
    ],
)
def test_the_file_the_processor_and_what_is_installed_decide_unless_told(
    wanted: Wanted, features: set[str], installed: bool, integers: bool, chosen: str
) -> None:
    assert choose_runtime(wanted, features, openvino_installed=installed, in_integers=integers) == chosen


def test_a_file_tells_whether_it_is_multiplied_in_integers(tmp_path: Path) -> None:
    assert multiplies_integers(builtin_folder("toxicity") / "model.onnx")
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "floats.onnx").write_bytes(b"MatMul")
    assert not any(multiplies_integers(tmp_path / name) for name in ("empty.onnx", "floats.onnx", "missing.onnx"))


@pytest.mark.parametrize("wanted", ["openvino", "torch"])
def test_a_runtime_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, wanted: Wanted) -> None:
    monkeypatch.setattr(runtimes, "_version", lambda _: "")
    with pytest.raises(ModelError, match=rf"otel-agent-eval\[{wanted}\]"):
        load_runtime(builtin_folder("toxicity") / "model.onnx", 1, wanted)


def test_the_log_says_once_what_runs_the_model(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger=runtimes.__name__):
        load_runtime(builtin_folder("toxicity") / "model.onnx", 2, "onnxruntime")
    (record,) = caplog.records
    facts = vars(record)
    assert (facts["runtime"], facts["threads"]) == ("onnxruntime", 2)
    assert facts["version"]


@pytest.mark.skipif(len(INSTALLED) == 1, reason="run by backends/test_torch.py")
@pytest.mark.parametrize("runtime", INSTALLED[1:])
@pytest.mark.parametrize("name", NAMES)
def test_runtimes_agree_on_every_score(runtime: Wanted, name: str) -> None:
    expected, found = scores("onnxruntime", "together")[name], scores(runtime, "together")[name]
    assert len(expected) - sum(map(math.isnan, expected)) > 5
    np.testing.assert_allclose(found, expected, atol=APART[runtime], rtol=0)


@pytest.mark.parametrize("order", ["alone", "backwards"])
@pytest.mark.parametrize("runtime", INSTALLED)
@pytest.mark.parametrize("name", NAMES)
def test_a_score_does_not_depend_on_its_batch(runtime: Wanted, name: str, order: str) -> None:
    expected, found = scores(runtime, "together")[name], scores(runtime, order)[name]
    np.testing.assert_allclose(found, expected, atol=AMONG[runtime], rtol=0)


def test_openvino_runs_once_before_several_threads_may(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino", reason="run by backends/test_torch.py")
    runs: list[str] = []
    run = OpenVinoRuntime.run

    def record(self: OpenVinoRuntime, batch: TokenBatch, output: str) -> FloatArray:
        runs.append(current_thread().name)
        return run(self, batch, output)

    monkeypatch.setattr(OpenVinoRuntime, "run", record)
    load_runtime(builtin_folder("toxicity") / "model.onnx", 2, "openvino")
    assert runs == [current_thread().name]


@pytest.mark.skipif("torch" not in INSTALLED, reason="run by backends/test_torch.py")
def test_torch_multiplies_integers_as_well_in_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    from otel_agent_eval.models import torch_runtime  # noqa: PLC0415 (torch is not always installed)

    path, windows = builtin_folder("faithfulness") / "model.onnx", rows_of_tokens(load_builtin("faithfulness"))
    in_integers = torch_runtime.TorchRuntime(path).run(windows, "support")
    monkeypatch.setattr(torch_runtime, "processor_features", frozenset)
    in_floats = torch_runtime.TorchRuntime(path).run(windows, "support")
    np.testing.assert_allclose(sigmoid(in_floats), sigmoid(in_integers), atol=0.01, rtol=0)


@pytest.mark.skipif("torch" not in INSTALLED, reason="run by backends/test_torch.py")
def test_torch_refuses_operations_that_it_does_not_know(tmp_path: Path) -> None:
    import onnx  # noqa: PLC0415 (not always installed)

    path = builtin_folder("toxicity") / "model.onnx"
    model = onnx.load(path)
    next(node for node in model.graph.node if node.op_type == "Erf").op_type = "Atanh"
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"model\.onnx cannot be loaded by torch \(it has the operation Atanh\)"):
        load_runtime(tmp_path / "model.onnx", 1, "torch")


@pytest.mark.parametrize("runtime", INSTALLED)
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "another graph", "a pickle", "a folder"])
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, runtime: Wanted, damage: str) -> None:
    content = (builtin_folder("toxicity") / "model.onnx").read_bytes()
    path = tmp_path / "model.onnx"
    if damage == "a folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(
            {
                "empty": b"",
                "cut": content[: len(content) // 2],
                "another graph": content.replace(b"layer0.gelu.erf", b"layer0.gelu.ref", 1),
                "a pickle": pickle.dumps([1] * 999),
            }[damage]
        )
    with pytest.raises(ModelError, match=re.escape(str(path))):
        load_runtime(path, 1, runtime)


@pytest.mark.parametrize("runtime", INSTALLED)
def test_a_loaded_model_that_has_nothing_to_do_takes_no_processor_time(runtime: Wanted) -> None:
    model = load_builtin("toxicity", threads=2, runtime=runtime)
    model.run("toxicity", [model.tokenizer.single(ids) for ids in model.tokenizer.encode(ANSWERS)])
    time.sleep(0.3)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.05
