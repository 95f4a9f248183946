"""Write a trained model as one ONNX file whose large matrices are multiplied in integers.

The graph is built by hand: it is small, and that keeps it free of what exporters add. Weights have one scale per output
column. What they are multiplied with has one per feature, fixed beforehand (see ``training.reach``): so a score does
not depend on what else is in its batch, and nothing is measured while the model runs.
"""

# ruff: noqa: ANN401, PLC0415 (ONNX attributes are of any type; tokenizers only where it is needed)

import argparse
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.model import HEADS, MultiHead, base_folder, build
from training.reach import Reach, reach_on
from training.words import PAIR, PIECES, ROWS, WordWeights

LAYERS, WIDTH, ATTENTION_HEADS = 6, 384, 12
HEAD_SIZE = WIDTH // ATTENTION_HEADS
WEIGHT_STEPS = 127
"""Processors that add pairs of products in 16 bits would overflow; the runtime has them multiply by other means."""
MARGIN = 1.1
"""A feature may reach so much further than it was seen to; beyond, it is cut."""
LEAST = 0.25
"""Features that hardly move are taken to reach this part of what the median one does: they may move in other texts."""
BALANCE = 0.8
"""How far the steps follow the features, and not the weights. (Of 0.5, 0.65, 0.8, 1: errs least.)"""
MIDDLE, GELU_ZERO, GELU_LOWEST = 128, 20, 0.17
"""Where zero lies among 256 steps: in the middle, but a Gelu never falls below -0.17."""
Array = NDArray[np.float32]


class Graph:
    """Collects nodes and initializers."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def add(self, op: str, inputs: list[str], name: str, outputs: int = 1, **attributes: Any) -> str:
        """A node; its output is called ``name``."""
        names = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=name + "/" + op, **attributes))
        return names[0]

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """An initializer as it is."""
        self.initializers.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def stored(self, name: str, weight: Array) -> list[str]:
        """A matrix as int8, and the scale of each of its columns."""
        scale = np.maximum(np.abs(weight).max(axis=0), 1e-12) / WEIGHT_STEPS
        whole = np.clip(np.round(weight / scale), -WEIGHT_STEPS, WEIGHT_STEPS).astype(np.int8)
        return [self.constant(name + ".w.int8", whole), self.constant(name + ".w.scale", scale.astype(np.float32))]

    def linear(self, x: str, name: str, weight: Array, bias: Array) -> str:
        """x @ weight + bias, multiplied in floats."""
        wide = self.add("DequantizeLinear", self.stored(name, weight), name + ".w", axis=1)
        product = self.add("MatMul", [x, wide], name + ".product")
        return self.add("Add", [product, self.constant(name + ".b", bias)], name)

    def rounded(self, x: str, zero: int) -> str:
        """x, which is counted in steps, as uint8."""
        return self.add("QuantizeLinear", [x, "one", self.constant(x + ".zero", np.array(zero, np.uint8))], x + ".int")

    def counted(self, x: str, steps: Array | None) -> str:
        """x in steps of each feature."""
        return x if steps is None else self.add("Mul", [x, self.constant(x + ".steps", 1 / steps)], x + ".counted")

    def product(self, x: str, name: str, weight: Array, bias: Array, steps: Array | None, zero: int = MIDDLE) -> str:
        """x @ weight + bias, multiplied in integers, where x is counted in steps; without steps, in floats.

        The operator is one of ONNX Runtime's that OpenVINO reads, too; in the standard's it takes half as long again.
        """
        if steps is None:
            return self.linear(x, name, weight, bias)
        whole, scale = self.stored(name, weight * steps[:, None])
        inputs = [self.rounded(x, zero), whole, "one", scale, x + ".zero", "", self.constant(name + ".b", bias)]
        return self.add("MatMulIntegerToFloat", inputs, name, domain="com.microsoft")

    def norm(self, x: str, name: str, weight: Array, bias: Array) -> str:
        """Layer normalisation over the last axis."""
        inputs = [x, self.constant(name + ".g", weight), self.constant(name + ".b", bias)]
        return self.add("LayerNormalization", inputs, name, axis=-1, epsilon=1e-12)

    def gelu(self, x: str, name: str) -> str:
        """The exact Gelu."""
        inner = self.add("Div", [x, "root_two"], name + ".div")
        erf = self.add("Erf", [inner], name + ".erf")
        plus = self.add("Add", [erf, "one"], name + ".plus")
        double = self.add("Mul", [x, plus], name + ".double")
        return self.add("Mul", [double, "half"], name)


def build_graph(
    weights: dict[str, Array], heads: Collection[str], lexical: WordWeights | None, reach: Reach | None
) -> onnx.ModelProto:
    """The whole model from its weights by name, with the heads named.

    Without ``lexical`` toxicity is what the encoder says alone; without ``reach`` everything is multiplied in floats.
    """
    g = Graph()
    for name, value in (("root_two", 2**0.5), ("one", 1.0), ("half", 0.5), ("masked", -10000.0), ("least", 1e-9)):
        g.constant(name, np.array(value, np.float32))
    g.constant("root_size", np.array(HEAD_SIZE**0.5, np.float32))
    g.constant("split_shape", np.array([0, 0, 3 * ATTENTION_HEADS, HEAD_SIZE], np.int64))
    g.constant("join_shape", np.array([0, 0, WIDTH], np.int64))
    g.constant("axes12", np.array([1, 2], np.int64))
    g.constant("axis1", np.array([1], np.int64))
    g.constant("axis_last", np.array([2], np.int64))
    x = _embed(g, weights)
    mask = g.add("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
    hidden = g.add("Unsqueeze", [g.add("Sub", ["one", mask], "unmasked"), "axes12"], "hidden")
    bias = g.add("Mul", [hidden, "masked"], "attention_bias")
    for layer in range(LAYERS):
        x = _layer(g, x, bias, f"encoder.encoder.layer.{layer}.", f"layer{layer}", weights, reach)
    features = _pool(g, x, mask)
    _embedding(g)
    for head in heads:
        name = f"heads.{head}."
        hidden_layer = g.linear(
            features, head + ".hidden", weights[name + "hidden.weight"].T, weights[name + "hidden.bias"]
        )
        active = g.gelu(hidden_layer, head + ".gelu")
        g.constant(head + ".out.w", weights[name + "out.weight"].T)
        g.constant(head + ".out.b", weights[name + "out.bias"])
        product = g.add("MatMul", [active, head + ".out.w"], head + ".out.product")
        by_words = _by_words(g, mask, lexical) if head == "toxicity" and lexical else None
        logits = g.add("Add", [product, head + ".out.b"], head + ".alone" if by_words else head)
        if by_words:
            g.add("Add", [logits, by_words], head)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    outputs = [
        helper.make_tensor_value_info(h, TensorProto.FLOAT, ["batch", n]) for h, n in HEADS.items() if h in heads
    ]
    outputs.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH]))
    graph = helper.make_graph(g.nodes, "otel-agent-eval-builtin", inputs, outputs, g.initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, producer_name="otel-agent-eval")
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def _embed(g: Graph, weights: dict[str, Array]) -> str:
    """Word rows stay int8 until they are looked up; positions are added by the length of the sequence."""
    prefix = "encoder.embeddings."
    words = weights[prefix + "word_embeddings.weight"]
    scale = np.maximum(np.abs(words).max(axis=1, keepdims=True), 1e-8) / 127.0
    g.constant("words.int8", np.clip(np.round(words / scale), -127, 127).astype(np.int8))
    g.constant("words.scale", scale.astype(np.float32))
    g.constant("positions.half", weights[prefix + "position_embeddings.weight"].astype(np.float16))
    g.add("Cast", ["positions.half"], "positions", to=TensorProto.FLOAT)
    g.constant("types", weights[prefix + "token_type_embeddings.weight"])
    g.constant("zero", np.array([0], np.int64))
    rows = g.add("Cast", [g.add("Gather", ["words.int8", "input_ids"], "rows")], "rows.wide", to=TensorProto.FLOAT)
    found = g.add("Mul", [rows, g.add("Gather", ["words.scale", "input_ids"], "rows.scale")], "words")
    length = g.add("Slice", [g.add("Shape", ["input_ids"], "shape"), "axis1", "end", "zero"], "length")
    g.constant("end", np.array([2], np.int64))
    places = g.add("Slice", ["positions", "zero", length, "zero"], "places")
    kinds = g.add("Gather", ["types", "token_type_ids"], "kinds")
    total = g.add("Add", [g.add("Add", [found, kinds], "words+kinds"), places], "embedded")
    return g.norm(total, "embedding_norm", weights[prefix + "LayerNorm.weight"], weights[prefix + "LayerNorm.bias"])


def _layer(g: Graph, x: str, bias: str, prefix: str, name: str, weights: dict[str, Array], reach: Reach | None) -> str:
    def steps(layer: str, weight: Array, zero: int = MIDDLE) -> Array | None:
        return None if reach is None else _steps(reach[layer], weight, zero)

    attention, out = prefix + "attention.self.", prefix + "attention.output."
    first, second = prefix + "intermediate.dense", prefix + "output."
    parts = ("query", "key", "value")
    joined = np.concatenate([weights[f"{attention}{p}.weight"].T for p in parts], axis=1)
    joined_bias = np.concatenate([weights[f"{attention}{p}.bias"] for p in parts])
    project, project_bias = weights[out + "dense.weight"].T, weights[out + "dense.bias"]
    own = steps(attention + "query", joined)
    # What attention gives is made of values: they come out counted in the steps of the product after it.
    values, of_values = np.s_[2 * WIDTH :], steps(out + "dense", project)
    if of_values is not None:
        joined[:, values] /= of_values
        joined_bias[values] /= of_values
    mixed = g.product(g.counted(x, own), name + ".qkv", joined, joined_bias, own)
    context = _attention(g, mixed, bias, name)
    projected = g.product(context, name + ".projected", project, project_bias, of_values)
    x = _add_and_norm(g, projected, x, name + ".norm1", out + "LayerNorm.", weights)
    widen, widen_bias = weights[first + ".weight"].T, weights[first + ".bias"]
    own = steps(first, widen)
    wide = g.gelu(g.product(g.counted(x, own), name + ".wide", widen, widen_bias, own), name + ".gelu")
    narrow, narrow_bias = weights[second + "dense.weight"].T, weights[second + "dense.bias"]
    own = steps(second + "dense", narrow, GELU_ZERO)
    low = g.product(g.counted(wide, own), name + ".narrow", narrow, narrow_bias, own, GELU_ZERO)
    return _add_and_norm(g, low, x, name + ".norm2", second + "LayerNorm.", weights)


def _attention(g: Graph, mixed: str, bias: str, name: str) -> str:
    """The context from queries, keys and values side by side."""
    shaped = g.add("Reshape", [mixed, "split_shape"], name + ".shaped")
    turned = g.add("Transpose", [shaped], name + ".turned", perm=[0, 2, 1, 3])
    query = g.add("Split", [turned], name + ".part", outputs=3, axis=1)
    key, value = query[:-1] + "1", query[:-1] + "2"
    key = g.add("Transpose", [key], name + ".key", perm=[0, 1, 3, 2])
    raw = g.add("Div", [g.add("MatMul", [query, key], name + ".raw"), "root_size"], name + ".scaled")
    shares = g.add("Softmax", [g.add("Add", [raw, bias], name + ".biased")], name + ".shares", axis=-1)
    seen = g.add("MatMul", [shares, value], name + ".seen")
    back = g.add("Transpose", [seen], name + ".back", perm=[0, 2, 1, 3])
    return g.add("Reshape", [back, "join_shape"], name + ".context")


def _add_and_norm(g: Graph, new: str, old: str, name: str, prefix: str, weights: dict[str, Array]) -> str:
    total = g.add("Add", [new, old], name + ".sum")
    return g.norm(total, name, weights[prefix + "weight"], weights[prefix + "bias"])


def _steps(reach: Array, weight: Array, zero: int = MIDDLE) -> Array:
    """The step of each feature, so that all that it reaches fits into 256 steps around ``zero``.

    A feature that reaches far gets long steps, and its row of the weight is multiplied by as much: the difficulty is
    divided between the two.
    """
    most = MARGIN * np.maximum(reach, LEAST * np.median(reach))
    shape = most**BALANCE / np.maximum(np.abs(weight).max(axis=1), 1e-3) ** (1 - BALANCE)
    unit = (most / shape).max() / (255 - zero)
    if zero == GELU_ZERO:
        unit = max(unit, GELU_LOWEST / shape.min() / zero)
    return (unit * shape).astype(np.float32)


def _pool(g: Graph, x: str, mask: str) -> str:
    wide_mask = g.add("Unsqueeze", [mask, "axis_last"], "mask.wide")
    total = g.add("ReduceSum", [g.add("Mul", [x, wide_mask], "kept"), "axis1"], "total", keepdims=0)
    count = g.add("ReduceSum", [wide_mask, "axis1"], "count", keepdims=0)
    mean = g.add("Div", [total, g.add("Max", [count, "one"], "count.least")], "mean")
    g.constant("first_index", np.array(0, np.int64))
    first = g.add("Gather", [x, "first_index"], "first", axis=1)
    return g.add("Concat", [mean, first], "features", axis=-1)


def _by_words(g: Graph, mask: str, lexical: WordWeights) -> str:
    """What ``lexical`` adds to each logit [batch, 6]: to that of "toxic", nothing to the categories."""
    g.constant("lexical.pieces", lexical.pieces.astype(np.float16))
    g.constant("lexical.pairs", lexical.pairs.astype(np.float16))
    # The first piece's share of the row is looked up, for the product is more than some runtimes count exactly.
    g.constant("lexical.places", (np.arange(PIECES) * PAIR % ROWS).astype(np.int32))
    g.constant("lexical.rows", np.array(ROWS, np.int64))
    g.constant("last", np.array([-1], np.int64))
    g.constant("far", np.array([np.iinfo(np.int64).max], np.int64))
    first = g.add("Slice", ["input_ids", "zero", "last", "axis1"], "pair.first")
    second = g.add("Slice", ["input_ids", "axis1", "far", "axis1"], "pair.second")
    places = g.add("Gather", ["lexical.places", first], "pair.places")
    wide = g.add("Cast", [places], "pair.wide", to=TensorProto.INT64)
    pairs = g.add("Mod", [g.add("Add", [wide, second], "pair.sum"), "lexical.rows"], "pairs")
    later = g.add("Slice", [mask, "axis1", "far", "axis1"], "mask.later")
    totals = []
    for table, rows, kept in (("lexical.pieces", "input_ids", mask), ("lexical.pairs", pairs, later)):
        found = g.add("Cast", [g.add("Gather", [table, rows], table + ".found")], table + ".wide", to=TensorProto.FLOAT)
        product = g.add("Mul", [found, kept], table + ".kept")
        totals.append(g.add("ReduceSum", [product, "axis1"], table + ".total", keepdims=1))
    length = g.add("Sqrt", [g.add("ReduceSum", [mask, "axis1"], "lexical.length", keepdims=1)], "lexical.root")
    logit = g.add("Div", [g.add("Add", totals, "lexical.sum"), length], "lexical.logit")
    toxic_only = g.constant("toxic_only", np.eye(1, HEADS["toxicity"], dtype=np.float32))
    return g.add("Mul", [logit, toxic_only], "lexical.logits")


def _embedding(g: Graph) -> None:
    """The mean, with length one: the dot product of two is their cosine."""
    square = g.add("ReduceSum", [g.add("Mul", ["mean", "mean"], "mean.square"), "axis1"], "mean.norm2", keepdims=1)
    length = g.add("Sqrt", [square], "mean.norm")
    g.add("Div", ["mean", g.add("Max", [length, "least"], "mean.norm.least")], "embedding")


def export(
    model: MultiHead,
    folder: Path,
    heads: Collection[str] = HEADS,
    lexical: WordWeights | None = None,
    reach: Reach | None = None,
) -> Path:
    """Write model.onnx and tokenizer.json into ``folder``; without ``reach``, to be multiplied in floats."""
    from tokenizers import Tokenizer

    weights = {name: value.detach().float().numpy() for name, value in model.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    onnx.save(build_graph(weights, heads, lexical, reach), str(path))
    tokenizer = Tokenizer.from_file(str(base_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(folder / "tokenizer.json"))
    return path


def main() -> None:
    """Parse options and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the labelled sets")
    parser.add_argument("--heads", nargs="+", choices=HEADS, default=[*HEADS], help="heads to export")
    parser.add_argument("--lexical", type=Path, help="what training.lexical wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    options = parser.parse_args()
    model = build(options.checkpoint)
    lexical = WordWeights.load(options.lexical) if options.lexical else None
    path = export(model, options.out, options.heads, lexical, reach_on(model, options.data, options.heads))
    print(path, f"{path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
