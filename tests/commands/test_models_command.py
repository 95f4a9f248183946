"""`models list` and `pull` against a hub on the loopback interface."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hub import COMMIT, Hub, hub

from otel_agent_eval.models.builtin import builtin_folder

CONFIG = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "neutral", "1": "toxic"}}
TOKENIZER = builtin_folder("toxicity") / "tokenizer.json"


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    classifier = {
        "config.json": json.dumps(CONFIG).encode(),
        "tokenizer.json": TOKENIZER.read_bytes(),
        "README.md": b"---\nlanguage: en\nlicense: apache-2.0\n---\n# A classifier\n",
        "model.safetensors": bytes(2_000_000),
        "pytorch_model.bin": b"a pickle",
        "tf_model.h5": b"another framework",
        "modeling_own.py": b"raise SystemExit",
        "onnx/model.onnx": b"an ONNX file",
    }
    causal = classifier | {"config.json": b'{"architectures": ["LlamaForCausalLM"]}'}
    with hub({"owner/classifier": classifier, "owner/other": causal}) as running:
        yield running


def run(tmp_path: Path, endpoint: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "0"} | more
    environment |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-m", "otel_agent_eval", "models", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)


def test_a_pulled_model_is_listed_and_pulls_only_what_is_needed(tmp_path: Path, server: Hub) -> None:
    server.asked.clear()
    pulled = run(tmp_path, server.url, "pull", "owner/classifier")
    assert pulled.stderr == ""
    name = f"owner/classifier@{COMMIT}"
    assert pulled.stdout.splitlines() == [f"model: {name}", "for: toxicity", "size: 2.0 MB", "licence: apache-2.0"]
    assert set(server.asked) == {"config.json", "tokenizer.json", "README.md", "model.safetensors"}
    listed = run(tmp_path, "http://127.0.0.1:9", "list", HF_HUB_OFFLINE="1").stdout.splitlines()
    (row,) = (line.split() for line in listed if line.startswith("owner/"))
    assert row == [name, "toxicity", "2.0", "MB", "apache-2.0", "in", "the", "cache"]
    assert any(line.startswith("detoxify/original") for line in listed)
    assert listed[1].startswith("builtin")


@pytest.mark.parametrize(
    ("arguments", "offline", "message"),
    [
        (("pull", "owner/missing"), "", "the hub has no model owner/missing, or none without HF_TOKEN"),
        (("pull", "owner/classifier@v9"), "", "owner/classifier has no revision v9"),
        (("pull", "owner/classifier/onnx/none.onnx"), "", "owner/classifier has no file onnx/none.onnx"),
        (("pull", "owner/other"), "", "neither a classifier nor a bi-encoder"),
        (("pull", "owner/classifier"), "1", "as HF_HUB_OFFLINE is set; run `otel-agent-eval models pull"),
        (("pull", "./folder"), "", "./folder is on this machine: there is nothing to download"),
        (("pull", "gpt"), "", "expected builtin, owner/name[@revision] on the Hugging Face hub"),
        (("export", "owner/classifier", "out"), "1", "owner/classifier cannot be fetched, as HF_HUB_OFFLINE is set"),
    ],
)
def test_what_cannot_be_fetched_is_said_in_one_line(
    tmp_path: Path, server: Hub, arguments: tuple[str, ...], offline: str, message: str
) -> None:
    done = run(tmp_path, server.url, *arguments, HF_HUB_OFFLINE=offline or "0")
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_hub_that_is_away_is_named(tmp_path: Path) -> None:
    done = run(tmp_path, "http://127.0.0.1:9", "pull", "owner/classifier")
    assert done.returncode == 1
    assert done.stderr.startswith("owner/classifier cannot be fetched: the hub cannot be reached (")
    assert done.stderr.count("\n") == 1
