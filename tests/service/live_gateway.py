"""A whole gateway in the test's own process, with real servers on both sides."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from support.gateway import configuration
from support.otlp_sink import OtlpSink

from otel_agent_eval.config.load import loads
from otel_agent_eval.service.gateway import Gateway
from otel_agent_eval.signals import ExportRequest, Signal

_PATHS = {"ExportTraceServiceRequest": "traces", "ExportLogsServiceRequest": "logs"}


@dataclass
class Live:
    """A running gateway, and a client of it."""

    gateway: Gateway
    client: httpx.AsyncClient
    grpc: str
    http: str
    admin: str
    config: dict[str, Any]

    async def send(self, request: ExportRequest, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Send a request over HTTP."""
        return await self.post(request.SerializeToString(), _PATHS.get(type(request).__name__, "metrics"), headers)

    async def post(
        self, body: bytes, signal: str = "traces", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send bytes over HTTP."""
        return await self.client.post(
            f"{self.http}/v1/{signal}",
            content=body,
            headers={"content-type": "application/x-protobuf", **(headers or {})},
        )

    async def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the metric's samples with these labels on the gateway's page."""
        page = (await self.client.get(f"{self.admin}/metrics")).text
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        lines = [line for line in page.splitlines() if line.split("{")[0].split(" ")[0] == name]
        values = [line.rpartition("}")[2].removeprefix(name) for line in lines if all(w in line for w in wanted)]
        return sum(float(value.split()[0]) for value in values)


@asynccontextmanager
async def running(
    *sinks: OtlpSink, change: Callable[[dict[str, Any]], None] | None = None, **processor: Any
) -> AsyncIterator[Live]:
    exporters = {
        f"otlphttp/{number}": {
            "endpoint": sink.http_endpoint,
            "retry_on_failure": {"initial_interval": "100ms", "max_interval": "200ms"},
        }
        for number, sink in enumerate(sinks)
    }
    config = configuration(exporters, {"evaluators": {"rudeness": {}}, "worker": "thread", **processor}, interval="1s")
    if change is not None:
        change(config)
    gateway = Gateway(loads(yaml.safe_dump(config), "test", {}).config)
    await gateway.start()
    grpc, http = (receiver.endpoint for receiver in gateway.receivers)
    assert gateway.admin is not None
    try:
        async with httpx.AsyncClient(timeout=60) as client:
            yield Live(gateway, client, grpc, f"http://{http}", f"http://{gateway.admin.endpoint}", config)
    finally:
        await gateway.stop()


def plugin_folder(folder: Path) -> Path:
    """Make a folder that, on the path, registers the evaluators of `plugin_evaluators`."""
    info = folder / "gateway_test_plugins-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gateway-test-plugins\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[otel_agent_eval.evaluators]\n"
        "rudeness = plugin_evaluators:RudeWords\n"
        "documents = plugin_evaluators:DocumentCount\n"
        "slowness = plugin_evaluators:Slowness\n"
    )
    return folder


async def arrived(sink: OtlpSink, signal: Signal, items: int, seconds: float = 10.0) -> None:
    """Wait until a sink has accepted this many items."""
    await asyncio.to_thread(sink.wait, signal, items, seconds)
