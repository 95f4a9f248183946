"""ONNX files of others run as the built-in ones do: on the chosen runtime, whatever stands beside a text."""

import importlib.util
import logging
from pathlib import Path

import numpy as np
import pytest
from onnxruntime.quantization import quantize_dynamic
from tiny_models import Spy, bert_classifier, bi_encoder

from otel_agent_eval.commands.export_model import export
from otel_agent_eval.evaluation import Interaction, Scored
from otel_agent_eval.models.batching import pad
from otel_agent_eval.models.onnx_runtime import OnnxRuntime
from otel_agent_eval.models.pretrained.model import load_pretrained
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.models.runtimes import Wanted
from otel_agent_eval.processors.pretrained.load import Choice, make_evaluator
from otel_agent_eval.processors.registry import load_evaluators

TEXTS = ["The tower is tall.", "you stupid idiot " * 9, "?", "Der Turm ist sehr hoch.", "very wide " * 14]
INTERACTIONS = [Interaction(answer=text, question=text) for text in TEXTS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier as an ONNX file."""
    made = tmp_path_factory.mktemp("onnx")
    export(str(bert_classifier(made / "torch", ["fine", "toxic"])), made / "onnx", "toxicity", (), int8=False)
    return made / "onnx"


def scores(folder: Path, runtime: Wanted) -> list[float]:
    (judge,) = load_evaluators(["toxicity"], 2, runtime=runtime, choices={"toxicity": Choice(str(folder))})
    found = judge.evaluate(INTERACTIONS)
    return [one.score for one in found if isinstance(one, Scored)]


@pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="openvino is not installed")
def test_a_file_of_others_runs_where_the_configuration_says(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        found = scores(folder, "openvino")
    chosen = [vars(record)["runtime"] for record in caplog.records if record.message == "model runtime"]
    assert chosen == ["openvino"]
    assert found == pytest.approx(scores(folder, "onnxruntime"), abs=0.1)


def test_a_file_that_torch_cannot_run_is_refused_at_start(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.onnx cannot be loaded by torch \(it has the operation \w+\)"):
        scores(folder, "torch")


def test_a_file_that_quantises_by_its_batch_scores_alone_as_among_others(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    quantize_dynamic(folder / "model.onnx", tmp_path / "model.onnx")
    model = load_pretrained(str(tmp_path), threads=2)
    windows = [model.tokenizer.single(ids) for ids in model.tokenizer.encode(TEXTS)]
    together = np.array(model.rows(windows))
    raw = OnnxRuntime(tmp_path / "model.onnx")
    alone = np.concatenate([raw.run(pad([window], 0), model.output) for window in windows])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert np.abs(raw.run(pad(windows, 0), model.output) - alone).max() > 1e-4  # what it would give by itself


@pytest.mark.parametrize("kind", ["toxicity", "relevance"])
def test_what_was_read_lately_is_not_read_again(tmp_path: Path, kind: str) -> None:
    made = bi_encoder(tmp_path) if kind == "relevance" else bert_classifier(tmp_path / "classifier", ["fine", "toxic"])
    model = load_pretrained(str(made), threads=2)
    spy = Spy(model)
    judge = make_evaluator(kind, model)
    first = judge.evaluate(INTERACTIONS)
    assert spy.read
    spy.read.clear()
    assert judge.evaluate(INTERACTIONS) == first
    assert not spy.read
