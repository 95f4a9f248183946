"""A folder with an ONNX file is a model that needs no torch."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from otel_agent_eval.commands.score import score
from otel_agent_eval.evaluation import Interaction, Scored
from otel_agent_eval.models.builtin import builtin_folder
from otel_agent_eval.models.pretrained.model import load_pretrained
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.processors.pretrained.load import Choice, make_evaluator
from otel_agent_eval.processors.registry import load_evaluators

CONFIG = {
    "architectures": ["BertForSequenceClassification"],
    "model_type": "bert",
    "id2label": {str(i): name for i, name in enumerate(["toxic", "insult", "threat", "hate", "obscene", "sexual"])},
    "problem_type": "multi_label_classification",
    "max_position_embeddings": 512,
    "pad_token_id": 0,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The built-in model, whose first output tells toxicity, laid out as a classifier of the hub."""
    made = tmp_path / "mine"
    shutil.copytree(builtin_folder("toxicity"), made)
    (made / "model.json").unlink()
    (made / "config.json").write_text(json.dumps(CONFIG), "utf-8")
    return made


def test_it_scores_without_torch(folder: Path) -> None:
    (judge,) = load_evaluators(["toxicity"], choices={"toxicity": Choice(str(folder))})
    polite, rude = judge.evaluate([Interaction(answer="The tower is tall."), Interaction(answer="You are an idiot.")])
    assert isinstance(polite, Scored)
    assert isinstance(rude, Scored)
    assert polite.score < 0.5 < rude.score
    assert judge.version.startswith("mine@")
    assert "torch" not in sys.modules


def test_toxicity_of_questions_and_answers_share_a_model(folder: Path) -> None:
    names = ["toxicity", "input_toxicity"]
    one, other = load_evaluators(names, choices=dict.fromkeys(names, Choice(str(folder))))
    assert vars(one)["_model"] is vars(other)["_model"]
    assert [one.name, other.name] == names


def test_other_scripts_are_not_refused(folder: Path) -> None:
    judge = make_evaluator("toxicity", load_pretrained(str(folder), threads=1))
    assert all(isinstance(found, Scored) for found in judge.evaluate([Interaction(answer="Башня очень высокая.")]))


def test_the_version_tells_one_state_of_the_files_from_another(folder: Path) -> None:
    before = load_pretrained(str(folder), threads=1).version
    assert load_pretrained(str(folder / "model.onnx"), threads=1).version != before  # by its own name
    (folder / "config.json").write_text(json.dumps(CONFIG | {"pad_token_id": 1}), "utf-8")
    after = load_pretrained(str(folder), threads=1).version
    assert (before.split("@")[0], after.split("@")[0]) == ("mine", "mine")
    assert before != after


DAMAGE = [
    ("model.onnx", b"not a model", r"model\.onnx cannot be loaded as an ONNX model"),
    ("model.onnx", None, "has no weights: none of model.safetensors"),
    ("config.json", None, "is not a model: there is no config.json in it"),
    ("config.json", b"{", r"config\.json is damaged: it is no JSON"),
    ("config.json", b"[]", r"config\.json is damaged: it holds no object"),
    (
        "config.json",
        b'{"architectures": ["XForTokenClassification"]}',
        "gives an output of 2 dimensions; a token class",
    ),
    ("config.json", b'{"architectures": ["XForSequenceClassification"]}', "gives 6 labels; config.json names 2"),
    ("config.json", b'{"architectures": ["LlamaForCausalLM"]}', "its architecture is LlamaForCausalLM"),
    ("config.json", b'{"architectures": ["X"], "id2label": {"a": "b"}}', "its architecture is X"),
    ("tokenizer.json", b"{}", r"tokenizer\.json cannot be loaded as a tokenizer"),
    ("tokenizer.json", None, "has no tokenizer: none of tokenizer.json"),
    ("model.safetensors", b"weights", "needs torch and transformers: pip install 'otel-agent-eval"),
]


@pytest.mark.parametrize(("name", "content", "message"), DAMAGE)
def test_what_is_wrong_is_said_in_one_clear_error(folder: Path, name: str, content: bytes | None, message: str) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load_pretrained(str(folder), threads=1)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"nowhere does not exist"):
        load_pretrained(str(tmp_path / "nowhere"), threads=1)


def test_a_path_that_cannot_be_looked_at_is_one_clear_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)  # root, who may run tests, is never refused
    with pytest.raises(ModelError, match=r"mine cannot be read: Permission denied"):
        load_pretrained(str(folder), threads=1)


def test_a_tokenizer_of_another_model_is_found_at_start(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    tokenizer["model"]["vocab"] |= {f"word{i}": 40_000 + i for i in range(60_000)}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), "utf-8")
    with pytest.raises(ModelError, match=r"model\.onnx does not run"):
        load_pretrained(str(folder), threads=1)


def test_answers_in_a_file_are_scored_by_the_model_of_the_configuration(folder: Path, tmp_path: Path) -> None:
    config, rows, scored = tmp_path / "gateway.yaml", tmp_path / "rows.jsonl", tmp_path / "scored.jsonl"
    settings = {"toxicity": {"model": str(folder), "threshold": 0.4, "labels": ["insult"]}}
    pipelines = {"traces": {"receivers": ["otlp"], "processors": ["agent_eval"], "exporters": ["console"]}}
    receivers = {"otlp": {"protocols": {"grpc": {"endpoint": "127.0.0.1:4317"}}}}
    parts = {
        "receivers": receivers,
        "processors": {"agent_eval": {"evaluators": settings}},
        "exporters": {"console": {}},
    }
    config.write_text(json.dumps(parts | {"service": {"pipelines": pipelines}}), "utf-8")
    rows.write_text(json.dumps({"id": 1, "answer": "You are an idiot."}), "utf-8")
    score(rows, scored, (), config)
    (row,) = (json.loads(line) for line in scored.read_text("utf-8").splitlines())
    (judge,) = load_evaluators(["toxicity"], choices={"toxicity": Choice(str(folder), ("insult",))})
    (expected,) = judge.evaluate([Interaction(answer="You are an idiot.")])
    assert isinstance(expected, Scored)
    assert row["toxicity"]["score"] == pytest.approx(expected.score, abs=1e-6)
    assert row["toxicity"]["threshold"] == 0.4


def test_an_evaluator_of_a_plugin_takes_no_other_model(folder: Path) -> None:
    with pytest.raises(ModelError, match="the evaluator politeness takes no other model"):
        load_evaluators(["politeness"], choices={"politeness": Choice(str(folder))})
