"""Measure model folders: sets, benign answers, sanity cases, parity with torch, independence of the batch."""

# ruff: noqa: PLC0415 (torch only where it is needed)

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from otel_agent_eval.processors.plain import plain
from training import report, sanity, scoring, study, tables
from training.batches import collate, load_tokenizer
from training.comparators import installed
from training.datasets import Row, documents_of
from training.examples import Example
from training.metrics import Floats
from training.scoring import Scorer

Scorers = Mapping[str, Scorer]
"""By kind of score: the scorer on the model that has its head."""


def main() -> None:
    """Parse options and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--model", type=Path, nargs="+", required=True, help="folders of model.onnx, tokenizer.json, model.json"
    )
    parser.add_argument(
        "--checkpoint", type=Path, nargs="*", default=[], help="torch weights of each, to compare the exported with"
    )
    parser.add_argument("--limit", type=int, default=500, help="rows of each set; 0: all")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--quick", action="store_true", help="only the sanity cases, parity and independence")
    options = parser.parse_args()
    models = [Scorer(folder) for folder in options.model]
    scorers = {kind: model for model in models for kind in report.KINDS if kind in model.card["heads"]}
    failures = check_sanity(scorers)
    print("sanity: " + ("all right" if not failures else f"{len(failures)} wrong"), *failures, sep="\n  ")
    if "toxicity" in scorers:
        print(f"alone against padded batch: {independence(scorers['toxicity']):.1e}")
    for model, checkpoint in zip(models, options.checkpoint, strict=False):
        print(f"{checkpoint}: onnx against torch, largest difference of a probability: {parity(model, checkpoint):.1e}")
    if options.quick:
        return
    found = {kind: installed(options.data, kind) for kind in scorers}
    measured = study.run(
        options.data,
        scores_of(scorers),
        {kind: (f"builtin/{kind}@{s.card['version']}", threshold(s, kind)) for kind, s in scorers.items()},
        {kind: comparators for kind, (comparators, _) in found.items()},
        options.limit,
        missing=[line for _, lines in found.values() for line in lines],
    )
    text = tables.markdown(measured)
    print(text)
    if options.out:
        study.write_json(measured, options.out)
    if options.markdown:
        options.markdown.write_text(text, encoding="utf-8")


def threshold(scorer: Scorer, kind: str) -> float:
    """The default threshold of a kind of score."""
    return float(scorer.card["heads"][kind]["threshold"])


def scores_of(scorers: Scorers) -> report.Score:
    """The reference scorers as a function of kind and rows."""

    def score(kind: str, rows: Sequence[Row]) -> Floats:
        scorer = scorers[kind]
        calibration = scorer.card["heads"][kind]["calibration"]
        if kind == "toxicity":
            logits = scorer.toxicity([row["text"] for row in rows])[:, 0]
            return scoring.sigmoid(calibration[0]["scale"] * logits + calibration[0]["bias"])
        weights, bias = calibration["weights"], calibration["bias"]
        if kind == "faithfulness":
            found = scorer.claims([(row["answer"], documents_of(row), row.get("question")) for row in rows])
            return scoring.sigmoid(np.array([scoring.faithfulness_logit(answer, weights, bias) for answer in found]))
        windows = scorer.relevance([(row["question"], row["answer"]) for row in rows])
        return scoring.sigmoid(np.array([scoring.relevance_logit(w, weights, bias) for w in windows]))

    return score


def check_sanity(scorers: Scorers) -> list[str]:
    """The plain cases that come out on the wrong side of the default threshold."""
    score = scores_of(scorers)
    rows: list[tuple[str, Row, bool]] = []
    rows += [("toxicity", {"text": t}, True) for t in sanity.TOXIC]
    rows += [("toxicity", {"text": t}, False) for t in sanity.BENIGN]
    for claims, good in ((sanity.SUPPORTED, True), (sanity.UNSUPPORTED, False)):
        rows += [("faithfulness", {"answer": c, "context": sanity.TOWER, "question": None}, good) for c in claims]
    for pairs, good in ((sanity.RELEVANT, True), (sanity.IRRELEVANT, False)):
        rows += [("relevance", {"question": q, "answer": a}, good) for q, a in pairs]
    wrong = []
    for kind, row, expected in rows:
        if kind not in scorers:
            continue
        value, limit = float(score(kind, [row])[0]), threshold(scorers[kind], kind)
        if (value >= limit) != expected:
            wrong.append(f"{kind} {value:.2f} (threshold {limit}): {row.get('text') or row['answer']}")
    return wrong


def independence(scorer: Scorer) -> float:
    """Largest difference between a text's logits alone and beside a longer one."""
    texts = [*sanity.TOXIC, *sanity.BENIGN, " ".join(sanity.BENIGN * 6)]
    together = scorer.toxicity(texts)
    return max(float(np.abs(scorer.toxicity([t]) - together[i]).max()) for i, t in enumerate(texts))


def parity(scorer: Scorer, checkpoint: Path) -> float:
    """Largest difference of a probability between the exported file and the torch model in 32 bits."""
    import torch

    from training.model import HEADS, base_folder, build

    model = build(checkpoint).eval()
    tokenizer = load_tokenizer(str(base_folder() / "tokenizer.json"), 256)

    def by_torch(head: str, texts: Sequence[str | tuple[str, str]]) -> Floats:
        batch = collate(head, [Example("", None, (0.0,))] * len(texts), tokenizer.encode_batch(list(texts)))
        with torch.no_grad():
            logits = model(**batch.inputs)[[*HEADS].index(head)].numpy()
        return scoring.sigmoid(np.asarray(logits, dtype=np.float64))

    gaps = []
    if "support" in scorer.outputs:
        pairs = [(sanity.TOWER, claim) for claim in (*sanity.SUPPORTED, *sanity.UNSUPPORTED)]
        ours = scoring.sigmoid(scorer.pairs("support", pairs, scoring.SUPPORT_TOKENS))
        gaps.append(np.abs(by_torch("support", pairs)[:, 0] - ours).max())
    if "toxicity" in scorer.outputs:
        words = tokenizer.get_vocab()
        texts = [plain(text, words.__contains__) for text in (*sanity.TOXIC, *sanity.BENIGN)]
        # The words are added in the exported file only, to "toxic": the categories tell what became of the encoder.
        gaps.append(np.abs(by_torch("toxicity", texts) - scoring.sigmoid(scorer.toxicity(texts)))[:, 1:].max())
    return float(max(gaps))


if __name__ == "__main__":
    main()
