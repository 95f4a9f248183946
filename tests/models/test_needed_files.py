import pytest

from otel_agent_eval.models.pretrained.hub import needed_files

COMMON = ["config.json", "tokenizer.json", "README.md"]
OTHERS = [
    "tf_model.h5",
    "flax_model.msgpack",
    "modeling_own.py",
    "training/args.bin",
    ".gitattributes",
    "rust_model.ot",
]


@pytest.mark.parametrize(
    ("names", "file", "expected"),
    [
        (["model.safetensors", "pytorch_model.bin", "onnx/model.onnx"], "", ["model.safetensors"]),
        (["pytorch_model.bin", "model.onnx"], "", ["pytorch_model.bin"]),
        (["model.safetensors", "onnx/model.onnx", "onnx/model_O3.onnx"], "onnx/model.onnx", ["onnx/model.onnx"]),
        (["onnx/model.onnx", "onnx/model.onnx_data"], "onnx/model.onnx", ["onnx/model.onnx", "onnx/model.onnx_data"]),
        (
            ["model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
            "",
            ["model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
        ),
        (
            [
                "model.safetensors",
                "modules.json",
                "1_Pooling/config.json",
                "2_Dense/config.json",
                "2_Dense/model.safetensors",
            ],
            "",
            [
                "model.safetensors",
                "modules.json",
                "1_Pooling/config.json",
                "2_Dense/config.json",
                "2_Dense/model.safetensors",
            ],
        ),
        (["spiece.model", "vocab.txt", "model.safetensors"], "tokenizer.json", ["spiece.model", "vocab.txt"]),
    ],
)
def test_one_file_of_weights_and_what_belongs_to_it_is_needed(names: list[str], file: str, expected: list[str]) -> None:
    assert needed_files([*COMMON, *OTHERS, *names], file) == sorted([*COMMON, *expected])
