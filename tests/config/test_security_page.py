"""docs/security.md: what it says to write into a configuration can be written, all of it together."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_agent_eval.config import loads
from otel_agent_eval.config.receivers import GrpcProtocol, HttpProtocol, Limits, OtlpReceiver

PAGE = (Path(__file__).parents[2] / "docs/security.md").read_text("utf-8")
BASE: dict[str, Any] = {
    "processors": {"agent_eval": None},
    "service": {
        "pipelines": {
            "traces": {
                "receivers": ["otlp"],
                "processors": ["agent_eval"],
                "exporters": ["otlp/tempo", "otlphttp/vendor"],
            }
        }
    },
}


def merged(one: Any, other: Any) -> Any:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return other
    return {key: merged(one[key], other[key]) if key in one and key in other else {**one, **other}[key]
            for key in {**one, **other}}  # fmt: skip


def test_what_stands_on_the_page_is_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = BASE
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    for block in blocks:
        config = merged(config, yaml.safe_load(block))
    for name in re.findall(r"(?:cert_file|key_file|filename|file): ([\w.]+)", "".join(blocks)):
        Path(name).write_text("")
    loaded = loads(yaml.safe_dump(config), "security.md", {"VENDOR_KEY": "x"})
    assert len(blocks) == 5
    assert loaded.warnings == ()


@pytest.mark.parametrize(("model", "prefix"), [(GrpcProtocol, "grpc"), (HttpProtocol, "http"), (Limits, "limits")])
def test_every_limit_stands_on_the_page(model: type[GrpcProtocol | HttpProtocol | Limits], prefix: str) -> None:
    limits = set(model.model_fields) - {"endpoint", "tls", "auth"}
    assert [name for name in limits if f"{name}`" not in PAGE] == []
    assert prefix in OtlpReceiver.model_fields or f"protocols.{prefix}." in PAGE
