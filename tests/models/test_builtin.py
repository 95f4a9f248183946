import json
from pathlib import Path

import pytest

from otel_agent_eval.models import builtin
from otel_agent_eval.models.builtin import builtin_folder
from otel_agent_eval.models.runtime import ModelError


@pytest.fixture
def several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that holds two models."""
    for name, heads in {"insults": ["toxicity"], "grounding": ["faithfulness", "relevance"]}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.json").write_text(json.dumps({"version": 9, "heads": {key: {} for key in heads}}))
    monkeypatch.setattr(builtin, "_FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize("head", ["toxicity", "faithfulness", "relevance"])
def test_the_package_has_a_model_for_every_head(head: str) -> None:
    assert (builtin_folder(head) / "model.onnx").is_file()


def test_each_head_is_found_in_its_own_model(several: Path) -> None:
    assert builtin_folder("toxicity") == several / "insults"
    assert builtin_folder("faithfulness") == builtin_folder("relevance") == several / "grounding"


@pytest.mark.usefixtures("several")
def test_a_head_that_no_model_has_is_named() -> None:
    with pytest.raises(ModelError, match="no model for summaries"):
        builtin_folder("summaries")
