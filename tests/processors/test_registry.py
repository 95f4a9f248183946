from importlib.metadata import EntryPoint, EntryPoints

import pytest
from model_plugins import Politeness
from support.keyword_model import keyword_model

from otel_agent_eval.evaluation import Evaluator
from otel_agent_eval.evaluation.evaluator import Stepwise
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.processors import registry
from otel_agent_eval.processors.registry import BUILT_IN, load_evaluators


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """What installed packages would register."""
    targets = {
        "politeness": "model_plugins:Politeness",
        "renamed": "model_plugins:Politeness",
        "missing": "model_plugins:Nothing",
        "broken": "model_plugins:broken",
        "wrong": "model_plugins:NotAnEvaluator",
        "toxicity": "model_plugins:Politeness",
    }
    points = EntryPoints(EntryPoint(name, value, registry.ENTRY_POINTS) for name, value in targets.items())
    monkeypatch.setattr(registry, "entry_points", points.select)


def test_the_built_in_evaluators_load_in_order_and_share_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[tuple[object, ...]] = []
    monkeypatch.setattr(registry, "builtin_folder", lambda _: "folder")
    monkeypatch.setattr(
        registry, "load_model", lambda folder, *options: loaded.append((folder, *options)) or keyword_model()
    )
    found = load_evaluators(BUILT_IN, 2, runtime="onnxruntime")
    assert [evaluator.name for evaluator in found] == list(BUILT_IN)
    assert all(isinstance(evaluator, Evaluator) and isinstance(evaluator, Stepwise) for evaluator in found)
    assert loaded == [("folder", 2, "onnxruntime")]


@pytest.mark.usefixtures("plugins")
def test_another_package_adds_an_evaluator_by_an_entry_point() -> None:
    (found,) = load_evaluators(["politeness"])
    assert isinstance(found, Politeness)


@pytest.mark.usefixtures("plugins")
def test_another_package_cannot_take_a_built_in_name() -> None:
    (found,) = load_evaluators(["toxicity"])
    assert not isinstance(found, Politeness)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unknown", "no evaluator called 'unknown'"),
        ("missing", "does not load: AttributeError"),
        ("broken", "does not load: RuntimeError"),
        ("wrong", "lacks attributes"),
        ("renamed", "calls itself 'politeness'"),
    ],
)
def test_what_is_wrong_with_a_plugin_is_said_clearly(name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load_evaluators([name])
