"""Write the trained model as one ONNX file whose large matrices are multiplied in integers.

The graph is built by hand: it is small, and that keeps it free of what exporters add. Weights have one scale per output
column, activations one per row (token), found as they come: so a score does not depend on what else is in its batch.
"""

# ruff: noqa: ANN401, PLC0415 (ONNX attributes are of any type; tokenizers only where it is needed)

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.lexical import PAIR, ROWS, Lexical
from training.model import HEADS, MultiHead, base_folder, build

LAYERS, WIDTH, ATTENTION_HEADS = 6, 384, 12
HEAD_SIZE = WIDTH // ATTENTION_HEADS
Array = NDArray[np.float32]


class Graph:
    """Collects nodes and initializers."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.known: set[str] = set()
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

    def rows(self, x: str) -> tuple[str, str]:
        """x as uint8 around 128, and the scale of each row."""
        if x + ".int" not in self.known:
            self.known.add(x + ".int")
            most = self.add("ReduceMax", [self.add("Abs", [x], x + ".abs")], x + ".most", axes=[-1], keepdims=1)
            most = self.add("Max", [most, "tiny"], x + ".most.least")
            up = self.add("Mul", [x, self.add("Div", ["steps", most], x + ".inverse")], x + ".up")
            self.add("Cast", [self.add("Add", [up, "half_up"], x + ".shifted")], x + ".int", to=TensorProto.UINT8)
            self.add("Div", [most, "steps"], x + ".scale")
        return x + ".int", x + ".scale"

    def linear(self, x: str, name: str, weight: Array, bias: Array) -> str:
        """x @ weight + bias."""
        rows, row_scale = self.rows(x)
        scale = np.maximum(np.abs(weight).max(axis=0), 1e-8) / 63.0
        self.constant(name + ".w.int8", np.clip(np.round(weight / scale), -63, 63).astype(np.int8))
        self.constant(name + ".w.scale", scale.astype(np.float32))
        whole = self.add("MatMulInteger", [rows, name + ".w.int8", "middle"], name + ".whole")
        wide = self.add("Cast", [whole], name + ".wide32", to=TensorProto.FLOAT)
        by_row = self.add("Mul", [wide, row_scale], name + ".rows")
        scaled = self.add("Mul", [by_row, name + ".w.scale"], name + ".scaled")
        return self.add("Add", [scaled, self.constant(name + ".b", bias)], name)

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


def build_graph(weights: dict[str, Array], lexical: Lexical | None) -> onnx.ModelProto:
    """The whole model from its weights by name; without ``lexical`` toxicity is what the encoder says alone."""
    g = Graph()
    for name, value in (("root_two", 2**0.5), ("one", 1.0), ("half", 0.5), ("masked", -10000.0), ("least", 1e-9)):
        g.constant(name, np.array(value, np.float32))
    for name, value in (("steps", 127.0), ("half_up", 128.5), ("tiny", 1e-6)):
        g.constant(name, np.array(value, np.float32))
    g.constant("middle", np.array(128, np.uint8))
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
        x = _layer(g, x, bias, f"encoder.encoder.layer.{layer}.", f"layer{layer}", weights)
    features = _pool(g, x, mask)
    _embedding(g)
    for head in HEADS:
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
    outputs = [helper.make_tensor_value_info(h, TensorProto.FLOAT, ["batch", n]) for h, n in HEADS.items()]
    outputs.append(helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH]))
    graph = helper.make_graph(g.nodes, "otel-agent-eval-builtin", inputs, outputs, g.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], producer_name="otel-agent-eval")
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
    g.constant("positions", weights[prefix + "position_embeddings.weight"])
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


def _layer(g: Graph, x: str, bias: str, prefix: str, name: str, weights: dict[str, Array]) -> str:
    attention = prefix + "attention."
    parts = ("query", "key", "value")
    joined = np.concatenate([weights[f"{attention}self.{p}.weight"].T for p in parts], axis=1)
    joined_bias = np.concatenate([weights[f"{attention}self.{p}.bias"] for p in parts])
    mixed = g.linear(x, name + ".qkv", joined, joined_bias)
    shaped = g.add("Reshape", [mixed, "split_shape"], name + ".shaped")
    turned = g.add("Transpose", [shaped], name + ".turned", perm=[0, 2, 1, 3])
    query = g.add("Split", [turned], name + ".part", outputs=3, axis=1)
    key, value = query[:-1] + "1", query[:-1] + "2"
    key = g.add("Transpose", [key], name + ".key", perm=[0, 1, 3, 2])
    raw = g.add("Div", [g.add("MatMul", [query, key], name + ".raw"), "root_size"], name + ".scaled")
    shares = g.add("Softmax", [g.add("Add", [raw, bias], name + ".biased")], name + ".shares", axis=-1)
    seen = g.add("MatMul", [shares, value], name + ".seen")
    back = g.add("Transpose", [seen], name + ".back", perm=[0, 2, 1, 3])
    context = g.add("Reshape", [back, "join_shape"], name + ".context")
    out = attention + "output."
    projected = g.linear(context, name + ".projected", weights[out + "dense.weight"].T, weights[out + "dense.bias"])
    x = g.norm(
        g.add("Add", [projected, x], name + ".sum1"),
        name + ".norm1",
        weights[out + "LayerNorm.weight"],
        weights[out + "LayerNorm.bias"],
    )
    first, second = prefix + "intermediate.dense.", prefix + "output."
    wide = g.gelu(g.linear(x, name + ".wide", weights[first + "weight"].T, weights[first + "bias"]), name + ".gelu")
    narrow = g.linear(wide, name + ".narrow", weights[second + "dense.weight"].T, weights[second + "dense.bias"])
    return g.norm(
        g.add("Add", [narrow, x], name + ".sum2"),
        name + ".norm2",
        weights[second + "LayerNorm.weight"],
        weights[second + "LayerNorm.bias"],
    )


def _pool(g: Graph, x: str, mask: str) -> str:
    wide_mask = g.add("Unsqueeze", [mask, "axis_last"], "mask.wide")
    total = g.add("ReduceSum", [g.add("Mul", [x, wide_mask], "kept"), "axis1"], "total", keepdims=0)
    count = g.add("ReduceSum", [wide_mask, "axis1"], "count", keepdims=0)
    mean = g.add("Div", [total, g.add("Max", [count, "one"], "count.least")], "mean")
    g.constant("first_index", np.array(0, np.int64))
    first = g.add("Gather", [x, "first_index"], "first", axis=1)
    return g.add("Concat", [mean, first], "features", axis=-1)


def _by_words(g: Graph, mask: str, lexical: Lexical) -> str:
    """What ``lexical`` adds to each logit [batch, 6]: to that of "toxic", nothing to the categories."""
    g.constant("lexical.pieces", lexical.pieces.astype(np.float16))
    g.constant("lexical.pairs", lexical.pairs.astype(np.float16))
    g.constant("lexical.factor", np.array(PAIR, np.int64))
    g.constant("lexical.rows", np.array(ROWS, np.int64))
    g.constant("last", np.array([-1], np.int64))
    g.constant("far", np.array([np.iinfo(np.int64).max], np.int64))
    first = g.add("Slice", ["input_ids", "zero", "last", "axis1"], "pair.first")
    second = g.add("Slice", ["input_ids", "axis1", "far", "axis1"], "pair.second")
    product = g.add("Mul", [first, "lexical.factor"], "pair.product")
    pairs = g.add("Mod", [g.add("Add", [product, second], "pair.sum"), "lexical.rows"], "pairs")
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


def export(model: MultiHead, folder: Path, lexical: Lexical | None = None) -> Path:
    """Write model.onnx and tokenizer.json into ``folder``."""
    from tokenizers import Tokenizer

    weights = {name: value.detach().float().numpy() for name, value in model.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    onnx.save(build_graph(weights, lexical), str(path))
    tokenizer = Tokenizer.from_file(str(base_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(folder / "tokenizer.json"))
    return path


def main() -> None:
    """Parse options and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--lexical", type=Path, help="what training.lexical wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    options = parser.parse_args()
    path = export(build(options.checkpoint), options.out, Lexical.load(options.lexical) if options.lexical else None)
    print(path, f"{path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
