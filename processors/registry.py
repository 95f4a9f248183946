"""The evaluators by name: the built-in ones, and those of other packages."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType

from otel_agent_eval.evaluation import Evaluator, Part
from otel_agent_eval.models.builtin import builtin_folder
from otel_agent_eval.models.model import Model, load_model
from otel_agent_eval.models.pretrained.model import load_pretrained
from otel_agent_eval.models.processor import available_cores
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.models.runtimes import Wanted
from otel_agent_eval.processors.faithfulness import Faithfulness
from otel_agent_eval.processors.pretrained.load import Choice, make_evaluator
from otel_agent_eval.processors.relevance import ContextRelevance, Relevance
from otel_agent_eval.processors.toxicity import Toxicity

ENTRY_POINTS = "otel_agent_eval.evaluators"
"""The group in which other packages register a callable without arguments, such as a class, that gives an evaluator."""

BUILT_IN: Mapping[str, Callable[[Model], Evaluator]] = {
    "toxicity": Toxicity,
    "input_toxicity": lambda model: Toxicity(model, "input_toxicity", Part.QUESTION),
    "faithfulness": Faithfulness,
    "relevance": Relevance,
    "context_relevance": ContextRelevance,
}
_HEADS = {"input_toxicity": "toxicity", "context_relevance": "relevance"}
"""The head of a built-in model that an evaluator needs, where it is called otherwise."""


def load_evaluators(
    names: Iterable[str],
    threads: int | None = None,
    *,
    runtime: Wanted = "auto",
    choices: Mapping[str, Choice] = MappingProxyType({}),
) -> list[Evaluator]:
    """Load evaluators by name, in that order; `choices` names those on another model than a built-in one.

    `runtime` runs the built-in models and other ONNX files. Evaluators on the same model share it. A built-in name
    cannot be taken by another package. Raises `ModelError` where a name is unknown, a model cannot be used, a plug-in
    does not load or is no evaluator.
    """
    builtin = cache(lambda folder: load_model(folder, threads, runtime))
    pretrained = cache(lambda model: load_pretrained(model, threads or available_cores(), runtime))

    def load(name: str) -> Evaluator:
        if name in choices:
            choice = choices[name]
            return make_evaluator(name, pretrained(choice.model), choice.labels)
        if name not in BUILT_IN:
            return _load_plugin(name)
        return _make_builtin(name, builtin(builtin_folder(_HEADS.get(name, name))))

    return [load(name) for name in names]


def _make_builtin(name: str, model: Model) -> Evaluator:
    try:
        return BUILT_IN[name](model)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"model.json does not describe what {name} needs: {error!r}") from error


def _load_plugin(name: str) -> Evaluator:
    found = [*entry_points(group=ENTRY_POINTS, name=name)]
    if not found:
        raise ModelError(f"there is no evaluator called {name!r}")
    try:
        evaluator = found[0].load()()
    except Exception as error:
        raise ModelError(f"evaluator {name!r} ({found[0].value}) does not load: {type(error).__name__}") from error
    if not isinstance(evaluator, Evaluator):
        raise ModelError(f"evaluator {name!r} ({found[0].value}) lacks attributes of the evaluator contract")
    if evaluator.name != name:
        raise ModelError(f"evaluator {name!r} ({found[0].value}) calls itself {evaluator.name!r}")
    return evaluator
