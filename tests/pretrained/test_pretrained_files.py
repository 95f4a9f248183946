"""What torch is given to read: only weights, and only those that fit."""

import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import bert_classifier, detoxify_checkpoint, hhem
from transformers import BertConfig, BertModel

from otel_agent_eval.evaluation import Interaction, Scored
from otel_agent_eval.models.pretrained.model import load_pretrained
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.processors.pretrained.load import Choice
from otel_agent_eval.processors.registry import load_evaluators


class Trap:
    """A pickle of it makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.open, (str(self.path), os.O_CREAT)


def load(path: Path) -> None:
    load_pretrained(str(path), threads=1)


def test_a_checkpoint_that_holds_more_than_tensors_is_refused_and_not_run(tmp_path: Path) -> None:
    path = detoxify_checkpoint(tmp_path / "model", ["toxicity"], outputs=1)
    torch.save({"state_dict": {}, "config": Trap(tmp_path / "ran")}, path)
    with pytest.raises(ModelError, match=r"toxic\.ckpt is damaged, or holds more than tensors"):
        load(path)
    path.write_bytes(pickle.dumps(Trap(tmp_path / "ran")))
    with pytest.raises(ModelError, match=r"toxic\.ckpt"):
        load(path)
    assert not (tmp_path / "ran").exists()


def test_weights_in_a_pickle_are_refused_and_not_run(tmp_path: Path) -> None:
    folder = bert_classifier(tmp_path / "model", ["fine", "toxic"])
    (folder / "model.safetensors").unlink()
    torch.save({"weight": Trap(tmp_path / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin cannot be loaded"):
        load(folder)
    assert not (tmp_path / "ran").exists()


def test_plain_tensors_of_pytorch_are_read(tmp_path: Path) -> None:
    folder = bert_classifier(tmp_path / "model", ["fine", "toxic"])
    (one,) = load_evaluators(["toxicity"], choices={"toxicity": Choice(str(folder))})
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    (other,) = load_evaluators(["toxicity"], choices={"toxicity": Choice(str(folder))})
    asked = [Interaction(answer="you stupid idiot")]
    (before,), (after,) = one.evaluate(asked), other.evaluate(asked)
    assert isinstance(before, Scored)
    assert before == after


def test_code_of_the_hub_is_not_run(tmp_path: Path) -> None:
    folder = bert_classifier(tmp_path / "model", ["fine", "toxic"])
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config |= {
        "model_type": "own",
        "auto_map": {"AutoModelForSequenceClassification": "own.Own", "AutoConfig": "own.C"},
    }
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", "utf-8")
    with pytest.raises(ModelError, match=r"model\.safetensors cannot be loaded"):
        load(folder)
    assert not (tmp_path / "ran").exists()


def test_damaged_weights_are_named(tmp_path: Path) -> None:
    for number, damage in enumerate((b"", b"\xff" * 100, None)):
        folder = bert_classifier(tmp_path / f"model{number}", ["fine", "toxic"])
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:5000] if damage is None else damage)
        with pytest.raises(ModelError, match=r"model\.safetensors cannot be loaded"):
            load(folder)


def test_a_classifier_without_its_last_layer_is_refused(tmp_path: Path) -> None:
    folder = bert_classifier(tmp_path / "model", ["fine", "toxic"])
    config = BertConfig.from_pretrained(folder)
    BertModel(config).save_pretrained(tmp_path / "bare")
    (folder / "model.safetensors").write_bytes((tmp_path / "bare" / "model.safetensors").read_bytes())
    with pytest.raises(ModelError, match=r"does not fit its config\.json: classifier\.\w+ is missing"):
        load(folder)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    folder, _ = hhem(tmp_path / "hhem")
    state = load_file(folder / "model.safetensors")
    state.pop("t5.transformer.encoder.block.1.layer.0.SelfAttention.k.weight")
    save_file(state, folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"does not fit its architecture: .*SelfAttention\.k\.weight"):
        load(folder)
    path = detoxify_checkpoint(tmp_path / "detoxify", ["toxicity"], outputs=1)
    torch.save({"epoch": 3}, path)
    with pytest.raises(ModelError, match="is no checkpoint of Detoxify: it has no 'config'"):
        load(path)
