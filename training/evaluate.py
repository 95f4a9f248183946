"""Measure a model folder: sets, false alarms, sanity cases, parity with torch, independence of the batch."""

# ruff: noqa: E501, PLC0415 (a line of numbers; torch only where it is needed)

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training import report, sanity, scoring
from training.batches import collate, load_tokenizer
from training.datasets import Row, available_sets, documents_of
from training.examples import Example
from training.metrics import Floats, auc, bootstrap, interval
from training.scoring import Scorer


def main() -> None:
    """Parse options and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True, help="folder of model.onnx, tokenizer.json, model.json")
    parser.add_argument("--checkpoint", type=Path, help="torch weights, to compare the exported ones with")
    parser.add_argument("--limit", type=int, default=500)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--quick", action="store_true", help="only the sanity cases, parity and independence")
    options = parser.parse_args()
    scorer = Scorer(options.model)
    failures = check_sanity(scorer)
    print("sanity: " + ("all right" if not failures else f"{len(failures)} wrong"), *failures, sep="\n  ")
    print(f"alone against padded batch: {independence(scorer):.1e}")
    if options.checkpoint:
        print(f"onnx against torch, largest difference of a probability: {parity(scorer, options.checkpoint):.1e}")
    if options.quick:
        return
    score = scores_of(scorer)
    thresholds = {kind: float(scorer.card["heads"][kind]["threshold"]) for kind in report.KINDS}
    results = report.measure(options.data, score, thresholds, options.limit)
    report.print_table(results)
    alarms = report.false_alarms(options.data, score, thresholds["toxicity"])
    for title, (count, total) in alarms.items():
        print(f"false alarms: {count} of {total} {title}")
    _plain_cosine(options.data, scorer, options.limit)
    if options.out:
        report.write_json(options.out, results, alarms, thresholds=thresholds, sanity_failures=failures)
    if options.markdown:
        options.markdown.write_text(report.markdown(results), encoding="utf-8")


def scores_of(scorer: Scorer) -> report.Score:
    """The reference scorer as a function of kind and rows."""
    heads = scorer.card["heads"]

    def score(kind: str, rows: Sequence[Row]) -> Floats:
        if kind == "toxicity":
            place = heads["toxicity"]["calibration"][0]
            logits = scorer.toxicity([row["text"] for row in rows])[:, 0]
            return scoring.sigmoid(place["scale"] * logits + place["bias"])
        weights, bias = heads[kind]["calibration"]["weights"], heads[kind]["calibration"]["bias"]
        if kind == "faithfulness":
            found = scorer.claims([(row["answer"], documents_of(row), row.get("question")) for row in rows])
            return scoring.sigmoid(np.array([scoring.faithfulness_logit(answer, weights, bias) for answer in found]))
        windows = scorer.relevance([(row["question"], row["answer"]) for row in rows])
        return scoring.sigmoid(np.array([scoring.relevance_logit(w, weights, bias) for w in windows]))

    return score


def check_sanity(scorer: Scorer) -> list[str]:
    """The plain cases that come out on the wrong side of the default threshold."""
    score, heads = scores_of(scorer), scorer.card["heads"]
    rows: list[tuple[str, Row, bool]] = []
    rows += [("toxicity", {"text": t}, True) for t in sanity.TOXIC]
    rows += [("toxicity", {"text": t}, False) for t in sanity.BENIGN]
    for claims, good in ((sanity.SUPPORTED, True), (sanity.UNSUPPORTED, False)):
        rows += [("faithfulness", {"answer": c, "context": sanity.TOWER, "question": None}, good) for c in claims]
    for pairs, good in ((sanity.RELEVANT, True), (sanity.IRRELEVANT, False)):
        rows += [("relevance", {"question": q, "answer": a}, good) for q, a in pairs]
    wrong = []
    for kind, row, expected in rows:
        value, threshold = float(score(kind, [row])[0]), float(heads[kind]["threshold"])
        if (value >= threshold) != expected:
            wrong.append(f"{kind} {value:.2f} (threshold {threshold}): {row.get('text') or row['answer']}")
    return wrong


def independence(scorer: Scorer) -> float:
    """Largest difference between a text's logits alone and beside a longer one."""
    texts = [*sanity.TOXIC, *sanity.BENIGN, " ".join(sanity.BENIGN * 6)]
    together = scorer.toxicity(texts)
    return max(float(np.abs(scorer.toxicity([t]) - together[i]).max()) for i, t in enumerate(texts))


def parity(scorer: Scorer, checkpoint: Path) -> float:
    """Largest difference of a probability between the exported file and the torch model in 32 bits."""
    import torch

    from training.model import base_folder, build

    model = build(checkpoint).eval()
    tokenizer = load_tokenizer(str(base_folder() / "tokenizer.json"), 256)
    claims = [*sanity.SUPPORTED, *sanity.UNSUPPORTED]
    batch = collate(
        "support", [Example("", "", (0.0,))] * len(claims), tokenizer.encode_batch([(sanity.TOWER, c) for c in claims])
    )
    plain = [*sanity.TOXIC, *sanity.BENIGN]
    alone = collate("toxicity", [Example("", None, (0.0,))] * len(plain), tokenizer.encode_batch(plain))
    with torch.no_grad():
        support, toxic = model(**batch.inputs)[1].numpy(), model(**alone.inputs)[0].numpy()
    ours = scorer.pairs("support", [(sanity.TOWER, c) for c in claims], scoring.SUPPORT_TOKENS)
    gaps = [np.abs(scoring.sigmoid(support[:, 0]) - scoring.sigmoid(ours)).max()]
    # The words are added in the exported file only, to "toxic": the categories tell what became of the encoder.
    gaps.append(np.abs(scoring.sigmoid(toxic[:, 1:]) - scoring.sigmoid(scorer.toxicity(plain)[:, 1:])).max())
    return float(max(gaps))


def _plain_cosine(folder: Path, scorer: Scorer, limit: int) -> None:
    """Relevance beside the cosine of the untouched base model."""
    import tempfile

    from training.export import export
    from training.model import build

    with tempfile.TemporaryDirectory() as place:
        export(build(), Path(place))
        base = Scorer(Path(place))
        for name in available_sets(folder, "relevance"):
            rows = report.held_out_rows(folder, "relevance", name, limit)
            labels = np.array([float(row["label"] > 0) for row in rows])
            cosine = (
                base.embeddings([r["question"] for r in rows]) * base.embeddings([r["answer"] for r in rows])
            ).sum(axis=1)
            own = scores_of(scorer)("relevance", rows)
            draws = bootstrap(labels, own, cosine, report.clusters("relevance", name, rows), rounds=1000, seed=7)
            low, high = interval(draws.difference)
            print(
                f"{name}: AUC {auc(labels, own):.3f}, plain cosine {auc(labels, cosine):.3f}, difference [{low:+.3f}, {high:+.3f}]"
            )


if __name__ == "__main__":
    main()
