"""Configurations for the tests of alerts."""

from typing import Any

import yaml

from otel_agent_eval.config import Config, loads


def config_text(alerts: dict[str, Any] | None = None, segments: tuple[str, ...] = ("user.segment",)) -> str:
    document = {
        "receivers": {"otlp": {"protocols": {"grpc": None, "http": None}}},
        "processors": {"agent_eval": {"segments": list(segments)}},
        "exporters": {"console": None},
        "service": {
            "pipelines": {"traces": {"receivers": ["otlp"], "processors": ["agent_eval"], "exporters": ["console"]}}
        },
        "alerts": alerts or {},
    }
    return yaml.safe_dump(document)


def config(alerts: dict[str, Any] | None = None, segments: tuple[str, ...] = ("user.segment",)) -> Config:
    return loads(config_text(alerts, segments), "gateway.yaml", {}).config
