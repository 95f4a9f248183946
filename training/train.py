"""Fine-tune the shared encoder and its heads. One command; see training/README.md."""

# ruff: noqa: FBT003, S101 (a torch call; invariants)

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from training.batches import Batch, endless
from training.model import HEADS, MultiHead, base_folder, build
from training.relevance_data import match_examples, relevance_examples
from training.support_data import support_examples
from training.toxicity_data import toxicity_examples

MATCH_SCALE, MATCH_WEIGHT = 20.0, 0.5


def main() -> None:
    """Parse options and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the labelled sets")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write (.pt)")
    parser.add_argument("--start", type=Path, help="checkpoint to go on from")
    parser.add_argument("--tokens", type=float, default=6.5e6, help="tokens to train on")
    parser.add_argument("--max-minutes", type=float, default=600.0, help="stop earlier, with the decay done by then")
    parser.add_argument("--rate", type=float, default=1.5e-4)
    parser.add_argument("--warm", type=float, default=0.05, help="part of the training in which the rate rises")
    parser.add_argument("--seed", type=int, default=20240607)
    parser.add_argument("--share", nargs=2, action="append", default=[], help="head and part of its rows to use")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    examples = {
        "toxicity": toxicity_examples(options.data, options.seed),
        "support": support_examples(options.data, options.seed),
        "relevance": relevance_examples(options.data, options.seed),
        "match": match_examples(options.data, options.seed),
    }
    for head, share in options.share:
        examples[head] = examples[head][: int(len(examples[head]) * float(share))]
    print({head: len(items) for head, items in examples.items()}, flush=True)
    model = build(options.start)
    train(model, endless(examples, str(base_folder() / "tokenizer.json"), options.seed), options)
    torch.save(model.state_dict(), options.out)


def train(model: MultiHead, batches: Iterator[Batch], options: argparse.Namespace) -> None:
    """Linear warm-up and decay over the tokens (or the minutes, whichever runs out first)."""
    model.train()
    # The word embeddings stay: half of all weights, little to gain, and rare words keep what they meant.
    model.encoder.embeddings.word_embeddings.requires_grad_(False)
    model.encoder.embeddings.position_embeddings.requires_grad_(False)
    types = list(model.encoder.embeddings.token_type_embeddings.parameters())
    encoder = [p for p in model.encoder.parameters() if p.requires_grad and p is not types[0]]
    heads = list(model.heads.parameters())
    optimizer = torch.optim.AdamW(
        [{"params": encoder, "scale": 1.0}, {"params": heads, "scale": 4.0}, {"params": types, "scale": 20.0}],
        lr=options.rate,
        weight_decay=0.01,
        fused=True,
    )
    seen, step, began, shown = 0, 0, time.monotonic(), time.monotonic()
    losses: dict[str, float] = {}
    for batch in batches:
        done = max(seen / options.tokens, (time.monotonic() - began) / 60 / options.max_minutes)
        if done >= 1:
            break
        rate = options.rate * min(1.0, done / options.warm + 0.02) * max(0.02, 1 - done)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        loss = _loss(model, batch)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        seen, step = seen + batch.tokens, step + 1
        losses[batch.head] = 0.97 * losses.get(batch.head, loss.item()) + 0.03 * loss.item()
        if time.monotonic() - shown > 20:
            shown = time.monotonic()
            speed = seen / (shown - began)
            text = " ".join(f"{head} {value:.3f}" for head, value in sorted(losses.items()))
            print(f"step {step} {done:.1%} {seen / 1e6:.2f} M tokens, {speed:.0f}/s, loss {text}", flush=True)
            torch.save(model.state_dict(), options.out.with_suffix(".part.pt"))


def _loss(model: MultiHead, batch: Batch) -> torch.Tensor:
    if batch.questions is not None:
        return MATCH_WEIGHT * _match_loss(model, batch)
    with torch.autocast("cpu", torch.bfloat16):
        features = model.features(**batch.inputs)
    logits = model.heads[batch.head](features.float())
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, batch.targets, reduction="none")
    # The mean over known targets, so that rows with unknown categories do not count less.
    return (loss * batch.weights).sum() / batch.weights.sum().clamp(min=1.0)


def _match_loss(model: MultiHead, batch: Batch) -> torch.Tensor:
    """A question's embedding is nearest to its own answer's: keeps the cosine useful while the encoder learns."""
    assert batch.questions is not None
    with torch.autocast("cpu", torch.bfloat16):
        answers, questions = model.features(**batch.inputs), model.features(**batch.questions)
    width = answers.shape[1] // 2
    answers = torch.nn.functional.normalize(answers[:, :width].float(), dim=-1)
    questions = torch.nn.functional.normalize(questions[:, :width].float(), dim=-1)
    return torch.nn.functional.cross_entropy(MATCH_SCALE * questions @ answers.T, torch.arange(len(answers)))


if __name__ == "__main__":
    assert tuple(HEADS) == ("toxicity", "support", "relevance")
    main()
