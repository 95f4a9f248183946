"""How far each feature reaches that a matrix of the encoder is multiplied with, seen on rows of the labelled sets.

From it `export` takes the steps of the integers in which the product is done. Known beforehand, they cost nothing when
the model runs, and a score cannot depend on what else is in its batch.
"""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from training.batches import MAX_TOKENS, Batch, collate, load_tokenizer
from training.datasets import Row, context_text, rows_of
from training.examples import Example
from training.model import MultiHead, base_folder
from training.templates import relevance_pair, support_pair

SETS = {
    "toxicity": ("toxicity", ("jigsaw_wiki_sample", "hatemojibuild", "implicit_hate_safenlp", "context_toxicity_wiki")),
    "support": ("faithfulness", ("ragtruth_qa_train", "snli_test", "fever_symmetric", "clapnq_dev_positive")),
    "relevance": ("relevance", ("qnli_dev", "clapnq_dev")),
}
"""By head: the kind of its sets, and sets that differ in their texts."""
ROWS, ROWS_PER_BATCH = 128, 16

Reach = dict[str, NDArray[np.float32]]
"""By the name of a linear layer of the encoder: the largest magnitude of each of its inputs."""


def reach_on(model: MultiHead, data: Path, heads: Iterable[str], seed: int = 20240607) -> Reach:
    """Measure on rows of the training parts in ``data``, as the heads read them."""
    return reach_of(model, _batches(data, heads, random.Random(seed)))


def reach_of(model: MultiHead, batches: Iterable[Batch]) -> Reach:
    """Measure on batches; padding does not count."""
    found: Reach = {}
    hooks: list[torch.utils.hooks.RemovableHandle] = []
    real = torch.empty(0)

    def watch(name: str, layer: nn.Module) -> None:
        def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            most = inputs[0][real].abs().amax(dim=0).float().numpy()
            found[name] = np.maximum(found.get(name, most), most)

        hooks.append(layer.register_forward_pre_hook(note))

    for name, layer in model.encoder.encoder.named_modules(prefix="encoder.encoder"):
        if isinstance(layer, nn.Linear):
            watch(name, layer)
    model.eval()
    with torch.no_grad():
        for batch in batches:
            real = batch.inputs["attention_mask"].bool()
            model.features(**batch.inputs)
    for hook in hooks:
        hook.remove()
    return found


def _batches(data: Path, heads: Iterable[str], rng: random.Random) -> Iterator[Batch]:
    for head in heads:
        kind, names = SETS[head]
        tokenizer = load_tokenizer(str(base_folder() / "tokenizer.json"), MAX_TOKENS[head])
        rows = [row for name in names for row in _some(rows_of(data, kind, name, "train"), rng)]
        texts = [text for row in rows for text in _texts(head, row)]
        read = sorted(tokenizer.encode_batch(texts), key=lambda found: len(found.ids))
        for start in range(0, len(read), ROWS_PER_BATCH):
            part = read[start : start + ROWS_PER_BATCH]
            yield collate(head, [Example("", None, (0.0,))] * len(part), part)


def _some(rows: list[Row], rng: random.Random) -> list[Row]:
    return rng.sample(rows, min(ROWS, len(rows)))


def _texts(head: str, row: Row) -> list[str | tuple[str, str]]:
    if head == "toxicity":
        return [str(row["text"])]
    if head == "relevance":  # for the cosine each is read alone, too
        return [relevance_pair(row["question"], row["answer"]), row["question"], row["answer"]]
    return [support_pair(context_text(row), row["answer"], row.get("question"))]
