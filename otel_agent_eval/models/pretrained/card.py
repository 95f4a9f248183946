"""What a model is, read from its configuration alone: nothing is loaded, so that a wrong one is refused at once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otel_agent_eval.models.model import sigmoid
from otel_agent_eval.models.pretrained.files import ModelFiles, read_json, read_json_list
from otel_agent_eval.models.runtime import ModelError

_LONGEST = 4096
"""Tokens of a window at most: attention takes memory by the square of it."""
_HHEM_TOKENS = 2048
_UNLIMITED = 1_000_000  # tokenizers that know no limit name a huge one
_DEFAULT_TOKENS = 512
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer"})
"""Architectures whose positions begin behind the number of the padding token."""


class Kind(StrEnum):
    """What a model gives, and so which evaluator it can serve."""

    CLASSIFIER = "classifier"
    """Labels of a text or of a pair of texts."""
    TOKEN_CLASSIFIER = "token classifier"  # noqa: S105 (not a secret)
    """Labels of each token."""
    HHEM = "HHEM"
    """Vectara's HHEM 2: labels of a pair, read at the first token of a prompt."""
    ENCODER = "bi-encoder"
    """A vector of a text."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a configuration says. `labels` are in the order of the outputs; `exclusive` ones sum to 1 (softmax)."""

    kind: Kind
    labels: tuple[str, ...]
    exclusive: bool
    tokens: int
    padding: int
    config: Mapping[str, Any]

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits of shape [..., labels] to probabilities."""
        if not self.exclusive:
            return sigmoid(logits)
        powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))

    def find(self, labels: Sequence[str]) -> list[int]:
        """Return the positions of labels by name. Raises `ModelError` for one that there is not."""
        names = [_plain(label) for label in self.labels]
        missing = [label for label in labels if _plain(label) not in names]
        if missing:
            raise ModelError(f"there is no label {missing[0]!r}, but {', '.join(self.labels)}")
        return [names.index(_plain(label)) for label in labels]

    def known(self, names: Collection[str]) -> list[int]:
        """Return the positions of the labels that have one of these names."""
        return [i for i, label in enumerate(self.labels) if _plain(label) in names]


def read_card(files: ModelFiles) -> Card:
    """Read a model's configuration. Raises `ModelError` where it is of no kind that can be used."""
    config = read_json(files.folder / "config.json")
    kind = _kind(files, config)
    labels = ("unsupported", "supported") if kind is Kind.HHEM else _labels(config)
    if kind is Kind.ENCODER:
        labels = ()
    several = len(labels) > 1 and config.get("problem_type") not in ("multi_label_classification", "regression")
    padding = config.get("pad_token_id")
    return Card(
        kind=kind,
        labels=labels,
        exclusive=several and not files.is_checkpoint,  # Detoxify's labels go together
        tokens=_HHEM_TOKENS if kind is Kind.HHEM else _tokens(files.folder, config),
        padding=padding if isinstance(padding, int) else 0,
        config=config,
    )


def module_types(folder: Path) -> list[tuple[str, Path]]:
    """Return the modules of a sentence-transformers model: the name of the class, and its folder."""
    path = folder / "modules.json"
    if not path.exists():
        return []
    listed = read_json_list(path)
    if not all({"type", "path"} <= module.keys() for module in listed):
        raise ModelError(f"{path} is damaged: it lists no modules")
    return [(str(module["type"]).rsplit(".", 1)[-1], folder / str(module["path"])) for module in listed]


def _kind(files: ModelFiles, config: Mapping[str, Any]) -> Kind:
    if str(config.get("model_type")).lower() == "hhemv2":
        return Kind.HHEM
    if files.is_checkpoint:
        return Kind.CLASSIFIER
    if any(name == "Pooling" for name, _ in module_types(files.folder)):
        return Kind.ENCODER
    named = config.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else "none that is named"
    if architecture.endswith("ForSequenceClassification"):
        return Kind.CLASSIFIER
    if architecture.endswith("ForTokenClassification"):
        return Kind.TOKEN_CLASSIFIER
    what = "neither a classifier nor a bi-encoder of sentence-transformers"
    raise ModelError(f"{files.version} is {what}: its architecture is {architecture}")


def _labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    names = config.get("id2label")
    if isinstance(names, dict) and names:
        try:
            return tuple(str(names[key]) for key in sorted(names, key=int))
        except ValueError as error:
            raise ModelError("config.json is damaged: the keys of id2label are no numbers") from error
    count = config.get("num_labels", 2)
    return tuple(f"LABEL_{i}" for i in range(count if isinstance(count, int) else 2))


def _tokens(folder: Path, config: Mapping[str, Any]) -> int:
    """Return how many tokens the model reads at once: the least of what its files say."""
    positions = config.get("max_position_embeddings")
    padding = config.get("pad_token_id")
    if isinstance(positions, int) and config.get("model_type") in _OFFSET_POSITIONS:
        positions -= (padding if isinstance(padding, int) else 1) + 1
    said = [positions]
    for name, key in (("tokenizer_config.json", "model_max_length"), ("sentence_bert_config.json", "max_seq_length")):
        if (folder / name).exists():
            said.append(read_json(folder / name).get(key))
    limits = [int(limit) for limit in said if isinstance(limit, int | float) and 0 < limit < _UNLIMITED]
    return min([*limits, _LONGEST]) if limits else _DEFAULT_TOKENS


def _plain(label: str) -> str:
    return label.strip().lower().replace("-", "_").replace(" ", "_")
