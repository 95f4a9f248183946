import math
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch
from safetensors.torch import load_file
from tiny_models import bert_classifier, bi_encoder, deberta_classifier, detoxify_checkpoint, hhem, lettuce

from otel_agent_eval.commands.export_model import export
from otel_agent_eval.models.pretrained.model import load_pretrained

MAKERS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "classifier": ("toxicity", lambda folder: bert_classifier(folder, ["fine", "toxic"])),
    "checkpoint": ("toxicity", lambda folder: detoxify_checkpoint(folder, ["toxicity", "insult"], outputs=4)),
    "nli": ("faithfulness", lambda folder: deberta_classifier(folder, ["contradiction", "entailment", "neutral"])),
    "hhem": ("faithfulness", lambda folder: hhem(folder)[0]),
    "lettuce": ("faithfulness", lettuce),
    "bi-encoder": ("relevance", lambda folder: bi_encoder(folder, dense=True, prompts={"query": "how "})),
    "cross-encoder": ("relevance", lambda folder: bert_classifier(folder, ["LABEL_0"])),
}


@pytest.mark.parametrize("int8", [False, True], ids=["fp32", "int8"])
@pytest.mark.parametrize("kind", MAKERS)
def test_an_exported_model_scores_as_in_torch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, int8: bool
) -> None:
    evaluator, make = MAKERS[kind]
    export(str(make(tmp_path / kind)), tmp_path / "out", "", (), int8=int8)
    lines = capsys.readouterr().out.strip().splitlines()
    assert next(line for line in lines if "torch" in line).startswith(evaluator)
    samples = [line.split() for line in lines if line.startswith("sample") and "not scored" not in line]
    assert len(samples) >= 4
    assert max(float(sample[-1]) for sample in samples) <= (0.05 if int8 else 0.001)
    assert len({sample[2] for sample in samples}) > 2
    model = load_pretrained(str(tmp_path / "out"), threads=1)
    assert model.files.is_onnx


def test_large_weights_are_stored_as_integers(tmp_path: Path) -> None:
    export(str(bert_classifier(tmp_path / "classifier", ["fine", "toxic"])), tmp_path / "out", "", (), int8=True)
    stored = onnx.load(tmp_path / "out" / "model.onnx").graph.initializer
    large = [weights for weights in stored if math.prod(weights.dims) >= 4096]
    assert len(large) >= 1
    assert {weights.data_type for weights in large} == {onnx.TensorProto.INT8}


def test_what_lies_too_far_from_torch_ends_with_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bert_classifier(tmp_path / "classifier", ["fine", "toxic"])
    monkeypatch.setattr("otel_agent_eval.commands.export_model._BOUND_INT8", 1e-9)
    with pytest.raises(SystemExit, match=r"toxicity scores lie up to 0\.\d+ from those in torch: more than 1e-09"):
        export(str(folder), tmp_path / "out", "", (), int8=True)


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    mood = bert_classifier(tmp_path / "mood", ["joy", "anger"])
    with pytest.raises(SystemExit, match=r"say with --evaluator what .*mood is for"):
        export(str(mood), tmp_path / "out", "", (), int8=False)
    export(str(mood), tmp_path / "out", "toxicity", ("anger",), int8=False)
    with pytest.raises(SystemExit, match="out is not empty"):
        export(str(mood), tmp_path / "out", "toxicity", ("anger",), int8=False)
    with pytest.raises(SystemExit, match="is an ONNX file already"):
        export(str(tmp_path / "out"), tmp_path / "again", "toxicity", ("anger",), int8=False)


def test_an_older_layer_can_be_read_without_torch_when_exported(tmp_path: Path) -> None:
    folder = bi_encoder(tmp_path, dense=True)
    (layer,) = folder.glob("*_Dense")
    torch.save(load_file(layer / "model.safetensors"), layer / "pytorch_model.bin")
    (layer / "model.safetensors").unlink()
    export(str(folder), tmp_path / "out", "relevance", (), int8=False)
    assert sorted(path.name for path in (tmp_path / "out" / layer.name).iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
