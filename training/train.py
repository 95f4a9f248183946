"""Fine-tune the shared encoder and its heads. One command; see training/README.md."""

# ruff: noqa: FBT003 (a torch call)

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from training.batches import Batch, endless
from training.model import MultiHead, base_folder, build
from training.relevance_data import kept_texts, relevance_examples
from training.support_data import support_examples
from training.toxicity_data import plain_toxicity_examples

KEEP_WEIGHT = 5.0
SMOOTHING = 0.04
"""Labels are wrong now and then; a target is never quite 0 or 1."""
AVERAGE_EVERY, AVERAGE_KEEP = 10, 0.97
"""The weights that are kept are an average over the last few hundred steps."""
SAVE_SECONDS = 150


EXAMPLES = {
    "toxicity": plain_toxicity_examples,
    "support": support_examples,
    "relevance": relevance_examples,
    "keep": kept_texts,
}


def main() -> None:
    """Parse options and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the labelled sets")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write (.pt)")
    parser.add_argument("--heads", nargs="+", choices=EXAMPLES, required=True, help="what this encoder learns")
    parser.add_argument("--start", type=Path, help="checkpoint to go on from")
    parser.add_argument("--tokens", type=float, default=9e6, help="tokens to train on")
    parser.add_argument("--max-minutes", type=float, default=600.0, help="stop earlier, with the decay done by then")
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--dropout", type=float, default=0.0, help="for heads whose rows are read several times")
    parser.add_argument("--warm", type=float, default=0.05, help="part of the training in which the rate rises")
    parser.add_argument("--seed", type=int, default=20240607)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    examples = {head: EXAMPLES[head](options.data, options.seed) for head in options.heads}
    print({head: len(items) for head, items in examples.items()}, flush=True)
    # On a processor the plain arithmetic of attention is, with its gradient, several times as fast as the fused one.
    model = build(
        options.start,
        hidden_dropout_prob=options.dropout,
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",
    )
    train(model, endless(examples, str(base_folder() / "tokenizer.json"), options.seed), options)
    torch.save(model.state_dict(), options.out)


def train(model: MultiHead, batches: Iterator[Batch], options: argparse.Namespace) -> None:
    """Linear warm-up and decay over the tokens (or the minutes, whichever runs out first)."""
    base = build(attn_implementation="eager").eval()
    model.train()
    model.encoder.embeddings.position_embeddings.requires_grad_(False)
    words = list(model.encoder.embeddings.word_embeddings.parameters())
    types = list(model.encoder.embeddings.token_type_embeddings.parameters())
    apart = {id(p) for p in (*words, *types)}
    encoder = [p for p in model.encoder.parameters() if p.requires_grad and id(p) not in apart]
    # Word rows without decay: those that never occur keep what they meant.
    groups = [
        {"params": encoder, "scale": 1.0},
        {"params": list(model.heads.parameters()), "scale": 4.0},
        {"params": types, "scale": 10.0},
        {"params": words, "scale": 1.0, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=options.rate, weight_decay=0.01, fused=True)
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    seen, step, began = 0, 0, time.monotonic()
    shown = saved = began
    losses: dict[str, float] = {}
    for batch in batches:
        done = max(seen / options.tokens, (time.monotonic() - began) / 60 / options.max_minutes)
        if done >= 1:
            break
        rate = options.rate * min(1.0, done / options.warm + 0.02) * max(0.02, 1 - done)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        loss = _loss(model, base, batch)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seen, step = seen + batch.tokens, step + 1
        if step % AVERAGE_EVERY == 0:
            _blend(average, model.state_dict(), max(1 - AVERAGE_KEEP, AVERAGE_EVERY / step))
        losses[batch.head] = 0.97 * losses.get(batch.head, loss.item()) + 0.03 * loss.item()
        if time.monotonic() - saved > SAVE_SECONDS:
            saved = time.monotonic()
            torch.save(average, options.out.with_suffix(".part.pt"))
        if time.monotonic() - shown > 20:
            shown = time.monotonic()
            speed = seen / (shown - began)
            text = " ".join(f"{head} {value:.3f}" for head, value in sorted(losses.items()))
            print(f"step {step} {done:.1%} {seen / 1e6:.2f} M tokens, {speed:.0f}/s, loss {text}", flush=True)
    model.load_state_dict(average)


def _blend(average: dict[str, torch.Tensor], now: dict[str, torch.Tensor], share: float) -> None:
    """Move the running average of the weights towards those of this step."""
    for name, value in now.items():
        average[name].lerp_(value, share)


def _loss(model: MultiHead, base: MultiHead, batch: Batch) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        features = model.features(**batch.inputs)
    if batch.head == "keep":
        return KEEP_WEIGHT * _keep_loss(features, base, batch)
    logits = model.heads[batch.head](features.float())
    targets = batch.targets * (1 - SMOOTHING) + SMOOTHING / 2
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    # The mean over known targets, so that rows with unknown categories do not count less.
    return (loss * batch.weights).sum() / batch.weights.sum().clamp(min=1.0)


def _keep_loss(features: torch.Tensor, base: MultiHead, batch: Batch) -> torch.Tensor:
    """The embedding of a text stays where the base had it: learned from a thousand million pairs."""
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        wanted = base.features(**batch.inputs)
    width = wanted.shape[1] // 2
    return 1 - torch.nn.functional.cosine_similarity(features[:, :width].float(), wanted[:, :width].float()).mean()


if __name__ == "__main__":
    main()
