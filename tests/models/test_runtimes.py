import importlib.util
import logging
import time
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from otel_agent_eval.models import runtimes
from otel_agent_eval.models.builtin import builtin_folder, load_builtin
from otel_agent_eval.models.model import Model, sigmoid
from otel_agent_eval.models.runtime import FloatArray, ModelError
from otel_agent_eval.models.runtimes import Wanted, choose_runtime, load_runtime, multiplies_integers
from otel_agent_eval.models.tokens import Window

INSTALLED: list[Wanted] = ["onnxruntime"]
if importlib.util.find_spec("openvino"):
    INSTALLED.append("openvino")

PASSAGE = "Returns are accepted within thirty days of delivery. Shoes must be unworn and in the original box."
ANSWERS = (
    "You can return the shoes within thirty days, as long as they are unworn.",
    "You can return the shoes within ninety days, even if you wore them outside.",
    "You are an idiot, nobody wants your filthy shoes. 😡",
    "I'm sorry, I don't have information about that.",
    "Yes.",
    "",
    "The box is cardboard. " * 12,
)
QUESTION = "How long do I have to return a pair of shoes?"
BOUND = 0.1
"""How far a probability or a cosine may lie from that of another runtime, which rounds otherwise."""
PADDING_BOUND = 1e-4


def windows(model: Model) -> dict[str, list[Window]]:
    """What each output of the model reads of the texts."""
    passage, question, *answers = model.tokenizer.encode([PASSAGE, QUESTION, *ANSWERS])
    return {
        "toxicity": [model.tokenizer.single(answer) for answer in answers],
        "support": [model.tokenizer.pair(passage, answer) for answer in answers],
        "relevance": [model.tokenizer.pair(question, answer) for answer in answers],
        "embedding": [model.tokenizer.single(ids) for ids in (passage, question, *answers)],
    }


def load(head: str, runtime: Wanted) -> Model:
    return load_builtin(head, threads=2, runtime=runtime)


def values(model: Model, output: str, read: list[Window]) -> FloatArray:
    """Probabilities, or of embeddings the cosines."""
    rows = model.run(output, read)
    return rows @ rows.T if output == "embedding" else sigmoid(rows).astype(np.float32)


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


def test_a_runtime_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "_version", lambda _: "")
    with pytest.raises(ModelError, match=r"otel-agent-eval\[openvino\]"):
        load_runtime(builtin_folder("toxicity") / "model.onnx", 1, "openvino")


def test_the_log_says_once_what_runs_the_model(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger=runtimes.__name__):
        load_runtime(builtin_folder("toxicity") / "model.onnx", 2, "onnxruntime")
    (record,) = caplog.records
    facts = vars(record)
    assert (facts["runtime"], facts["threads"]) == ("onnxruntime", 2)
    assert facts["version"]


@pytest.mark.skipif("openvino" not in INSTALLED, reason="run by backends/test_torch.py")
@pytest.mark.parametrize(
    ("head", "output"),
    [("toxicity", "toxicity"), ("faithfulness", "support"), ("relevance", "relevance"), ("relevance", "embedding")],
)
def test_runtimes_agree_on_every_output(head: str, output: str) -> None:
    one, other = (load(head, runtime) for runtime in INSTALLED)
    read = windows(one)[output]
    np.testing.assert_allclose(values(one, output, read), values(other, output, read), atol=BOUND)


@pytest.mark.parametrize("runtime", INSTALLED)
def test_a_score_does_not_depend_on_its_batch(runtime: Wanted) -> None:
    together = load("toxicity", runtime)
    read = windows(together)["toxicity"]
    alone = load("toxicity", runtime)  # another one: what was run once is remembered
    rows = [alone.run("toxicity", [window]) for window in reversed(read)]
    np.testing.assert_allclose(
        sigmoid(together.run("toxicity", read)), sigmoid(np.concatenate(rows[::-1])), atol=PADDING_BOUND
    )


@pytest.mark.parametrize("runtime", INSTALLED)
def test_a_loaded_model_that_has_nothing_to_do_takes_no_processor_time(runtime: Wanted) -> None:
    model = load("toxicity", runtime)
    model.run("toxicity", [*chain(*[windows(model)["toxicity"]] * 4)])
    time.sleep(0.3)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.05
