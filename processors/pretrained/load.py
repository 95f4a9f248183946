"""An evaluator by its name and the model that a configuration gives it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from otel_agent_eval.evaluation import Evaluator, Part
from otel_agent_eval.models.pretrained.card import Card, Kind
from otel_agent_eval.models.pretrained.model import PretrainedModel
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.processors.pretrained.faithfulness import PretrainedFaithfulness
from otel_agent_eval.processors.pretrained.pairs import supporting_labels
from otel_agent_eval.processors.pretrained.relevance import (
    PretrainedContextRelevance,
    PretrainedRelevance,
    relevant_labels,
)
from otel_agent_eval.processors.pretrained.toxicity import PretrainedToxicity, toxic_labels
from otel_agent_eval.processors.pretrained.unsupported_tokens import unsupporting_labels


@dataclass(frozen=True, slots=True)
class Choice:
    """A model in place of the built-in one. `labels` are those that decide: toxic, supported or relevant."""

    model: str
    labels: tuple[str, ...] = ()


_MAKERS: Mapping[str, Callable[[PretrainedModel, Sequence[str]], Evaluator]] = {
    "toxicity": lambda model, labels: PretrainedToxicity(model, labels, "toxicity", Part.ANSWER),
    "input_toxicity": lambda model, labels: PretrainedToxicity(model, labels, "input_toxicity", Part.QUESTION),
    "faithfulness": PretrainedFaithfulness,
    "relevance": PretrainedRelevance,
    "context_relevance": PretrainedContextRelevance,
}


def make_evaluator(name: str, model: PretrainedModel, labels: Sequence[str] = ()) -> Evaluator:
    """Return the evaluator of that name on a model. Raises `ModelError` where the model is of the wrong kind."""
    try:
        return _MAKERS[name](model, labels)
    except KeyError as error:
        raise ModelError(f"the evaluator {name} takes no other model") from error
    except ModelError as error:
        raise ModelError(f"{name} cannot use {model.version}: {error}") from error


def fitting(card: Card) -> list[str]:
    """Return the evaluators that can use such a model without being told more."""
    found = []
    for name, check in (("toxicity", toxic_labels), ("relevance", _relates), ("faithfulness", _supports)):
        try:
            check(card)
        except ModelError:
            continue
        found.append(name)
    return found


def _supports(card: Card) -> object:
    if card.kind is Kind.ENCODER:
        raise ModelError
    return (unsupporting_labels if card.kind is Kind.TOKEN_CLASSIFIER else supporting_labels)(card)


def _relates(card: Card) -> object:
    return card.kind is Kind.ENCODER or relevant_labels(card)
