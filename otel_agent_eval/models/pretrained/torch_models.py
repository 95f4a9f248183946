"""Models in torch: weights only, from safetensors or PyTorch's reader of tensors; no pickled object, no foreign code.

Only this file and `export` need the extra `torch`; they import it when they are called.
"""
# ruff: noqa: ANN401, PLC0415 (torch and transformers are not always installed, so neither imported nor typed)

import inspect
import re
from collections.abc import Mapping
from typing import Any

from otel_agent_eval.models.pretrained.card import Card, Kind
from otel_agent_eval.models.pretrained.files import ModelFiles
from otel_agent_eval.models.runtime import FloatArray, ModelError, TokenBatch

_EXTRA = "pip install 'otel-agent-eval[torch]', or use an ONNX file of the model"
_CLASSES = {
    Kind.CLASSIFIER: "AutoModelForSequenceClassification",
    Kind.TOKEN_CLASSIFIER: "AutoModelForTokenClassification",
    Kind.ENCODER: "AutoModel",
}
_DERIVED = re.compile(r"(^|\.)(position_ids|embed_tokens\.weight)$")
"""Weights that older files have beside, or newer ones leave out, because they follow from others."""


class ModuleRuntime:
    """A model of transformers, in fp32 on the CPU."""

    def __init__(self, module: Any) -> None:
        import torch

        torch.set_num_threads(1)  # of each run: as many go side by side as there are cores
        self.module = module.eval()
        self._takes_types = self.takes_types(module)

    @staticmethod
    def takes_types(module: Any) -> bool:
        """Whether a model tells the two texts of a pair apart."""
        return "token_type_ids" in inspect.signature(module.forward).parameters

    def run(self, batch: TokenBatch, output: str) -> FloatArray:
        """Return one of the model's outputs, of shape [batch, values] or [batch, sequence, values]."""
        import torch

        feed = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        if self._takes_types:
            feed["token_type_ids"] = batch.type_ids
        with torch.inference_mode():
            found = self.module(**{name: torch.from_numpy(array) for name, array in feed.items()})[output]
        array: FloatArray = found.float().numpy()
        return array


def load_torch(files: ModelFiles, card: Card) -> tuple[ModuleRuntime, Card]:
    """Load a model's weights; the card comes back with what only the weights know. Raises `ModelError`."""
    try:
        import torch
        import transformers
    except ImportError as error:
        raise ModelError(f"{files.version} needs torch and transformers: {_EXTRA}") from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        if files.is_checkpoint:
            module, card = _checkpoint(torch, transformers, files, card)
        elif card.kind is Kind.HHEM:
            module = _hhem(transformers, files)
        else:
            module = _from_folder(torch, transformers, files, card)
    except ModelError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0][:300]
        raise ModelError(f"{files.weights} cannot be loaded ({type(error).__name__}): {reason}") from error
    return ModuleRuntime(module), card


def _from_folder(torch: Any, transformers: Any, files: ModelFiles, card: Card) -> Any:
    made, about = getattr(transformers, _CLASSES[card.kind]).from_pretrained(
        files.weights.parent,
        local_files_only=True,
        trust_remote_code=False,
        weights_only=True,
        use_safetensors=".safetensors" in files.weights.name,
        dtype=torch.float32,
        output_loading_info=True,
    )
    missing = [name for name in about["missing_keys"] if not name.startswith("pooler.")]  # unused by bi-encoders
    if missing or about["mismatched_keys"]:
        wrong = min(map(str, [*missing, *about["mismatched_keys"]]))
        raise ModelError(f"{files.weights} does not fit its config.json: {wrong} is missing or of another shape")
    return made


def _checkpoint(torch: Any, transformers: Any, files: ModelFiles, card: Card) -> tuple[Any, Card]:
    """Load a checkpoint of Detoxify: its weights and, by name, its labels."""
    from dataclasses import replace
    from pickle import UnpicklingError

    try:
        loaded = torch.load(files.weights, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        message = (
            "is damaged, or holds more than tensors and plain values; such a file could run code and is not loaded"
        )
        raise ModelError(f"{files.weights} {message}") from error
    try:
        labels = tuple(map(str, loaded["config"]["dataset"]["args"]["classes"]))
        outputs = int(loaded["config"]["arch"]["args"]["num_classes"])
        state = loaded["state_dict"]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{files.weights} is no checkpoint of Detoxify: it has no {error}") from error
    config = transformers.AutoConfig.from_pretrained(files.folder, local_files_only=True, num_labels=outputs)
    module = transformers.AutoModelForSequenceClassification.from_config(config)
    _fill(module, state, files)
    more = tuple(f"label_{i}" for i in range(len(labels), outputs))  # Detoxify names only those it shows
    return module, replace(card, labels=(*labels, *more), exclusive=False)


def _hhem(transformers: Any, files: ModelFiles) -> Any:
    """Build HHEM 2 without its own code: the encoder of T5 with a classifier of tokens, sized by the weights."""
    from safetensors.torch import load_file

    state = {name.removeprefix("t5."): value for name, value in load_file(files.weights).items()}
    encoder = "transformer.encoder.block.0.layer."
    buckets, heads = state[encoder + "0.SelfAttention.relative_attention_bias.weight"].shape
    gated = encoder + "1.DenseReluDense.wi_0.weight" in state
    inner = state[encoder + ("1.DenseReluDense.wi_0.weight" if gated else "1.DenseReluDense.wi.weight")]
    blocks = {name.split(".")[3] for name in state if name.startswith("transformer.encoder.block.")}
    config = transformers.T5Config(
        vocab_size=state["transformer.shared.weight"].shape[0],
        d_model=inner.shape[1],
        d_ff=inner.shape[0],
        d_kv=state[encoder + "0.SelfAttention.q.weight"].shape[0] // heads,
        num_heads=heads,
        num_layers=len(blocks),
        relative_attention_num_buckets=buckets,
        feed_forward_proj="gated-gelu" if gated else "relu",
        num_labels=state["classifier.weight"].shape[0],
    )
    module = transformers.T5ForTokenClassification(config)
    _fill(module, state, files)
    return module


def _fill(module: Any, state: Mapping[str, Any], files: ModelFiles) -> None:
    missing, unexpected = module.load_state_dict(state, strict=False)
    wrong = [name for name in (*missing, *unexpected) if not _DERIVED.search(name)]
    if wrong:
        raise ModelError(f"{files.weights} does not fit its architecture: {wrong[0]} is missing or too many")
    module.tie_weights()
