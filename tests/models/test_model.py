import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_agent_eval.models.builtin import builtin_folder
from otel_agent_eval.models.model import Model, load_model, sigmoid
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.models.tokens import Window

TOXICITY = {"toxicity": 6, "embedding": 384}
GROUNDING = {"support": 1, "relevance": 1, "embedding": 384}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(builtin_folder("toxicity"), tmp_path / "model"))


@pytest.mark.parametrize(("output", "values"), TOXICITY.items())
def test_the_model_of_toxicity_has_each_output(toxicity_model: Model, output: str, values: int) -> None:
    window = toxicity_model.tokenizer.single([2003])
    assert toxicity_model.run(output, [window]).shape == (1, values)


@pytest.mark.parametrize(("output", "values"), GROUNDING.items())
def test_the_model_of_grounding_has_each_output(grounding_model: Model, output: str, values: int) -> None:
    window = grounding_model.tokenizer.single([2003])
    assert grounding_model.run(output, [window]).shape == (1, values)


def test_nothing_to_run_gives_nothing(grounding_model: Model) -> None:
    assert len(grounding_model.run("support", [])) == 0


@settings(max_examples=10, deadline=None)
@given(lengths=st.lists(st.integers(1, 160), min_size=2, max_size=12), seed=st.integers(0, 2**32 - 1))
def test_what_else_is_in_a_batch_does_not_change_an_output(
    toxicity_model: Model, lengths: list[int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    windows = [toxicity_model.tokenizer.single(random.integers(1000, 20000, length).tolist()) for length in lengths]
    together = toxicity_model.run("toxicity", windows)
    alone = np.concatenate([toxicity_model.run("toxicity", [window]) for window in windows])
    np.testing.assert_allclose(sigmoid(together), sigmoid(alone), atol=1e-5)


def test_outputs_come_in_the_order_of_the_windows(grounding_model: Model) -> None:
    short, long = grounding_model.tokenizer.single([2003]), grounding_model.tokenizer.single([2003] * 90)
    one, other = grounding_model.run("support", [short, long]), grounding_model.run("support", [long, short])
    np.testing.assert_allclose(one, other[::-1], atol=1e-5)


def test_probabilities_do_not_overflow() -> None:
    np.testing.assert_allclose(sigmoid(np.array([-1e9, 0.0, 1e9])), [0.0, 0.5, 1.0])


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "model.json"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut"])
def test_a_damaged_file_is_named_in_one_clear_error(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    with pytest.raises(ModelError, match=name):
        load_model(folder, threads=1)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_with_one_changed_byte_is_damaged(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{name} is damaged, or of another model"):
        load_model(folder, threads=1)


def test_a_card_without_heads_is_refused(folder: Path) -> None:
    (folder / "model.json").write_text(json.dumps({"version": 1}))
    with pytest.raises(ModelError, match="heads"):
        load_model(folder, threads=1)


def test_a_card_that_names_an_output_which_the_file_lacks_is_refused(folder: Path) -> None:
    card = json.loads((folder / "model.json").read_text("utf-8"))
    card["heads"]["toxicity"]["output"] = "rudeness"
    (folder / "model.json").write_text(json.dumps(card), "utf-8")
    with pytest.raises(ModelError, match=r"model\.onnx has no output rudeness, which model\.json names"):
        load_model(folder, threads=1)


def test_a_tokenizer_of_another_model_is_refused(folder: Path) -> None:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text("utf-8"))
    tokenizer["model"]["vocab"] |= {f"word{i}": 40_000 + i for i in range(60_000)}
    path.write_text(json.dumps(tokenizer), "utf-8")
    card = json.loads((folder / "model.json").read_text("utf-8"))
    del card["sha256"]
    (folder / "model.json").write_text(json.dumps(card), "utf-8")
    with pytest.raises(ModelError, match=r"tokenizer\.json does not belong to model\.onnx"):
        load_model(folder, threads=1)


def test_a_window_longer_than_any_budget_still_runs(grounding_model: Model) -> None:
    ids = (101, *[2003] * 510, 102)
    assert grounding_model.run("support", [Window(ids, (0,) * 512)] * 3).shape == (3, 1)
