"""`otel-agent-eval demo`: a gateway on this machine, recorded agents through it, their answers with scores."""

import asyncio
import sys
from collections.abc import Mapping
from importlib.resources import files

import httpx
import uvloop
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from otel_agent_eval.config import Config
from otel_agent_eval.config.load import DEFAULTS, loads
from otel_agent_eval.demo.replay import quoted, recordings, spoken
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.receivers import ListenError
from otel_agent_eval.service import log_format
from otel_agent_eval.service.gateway import Gateway
from otel_agent_eval.signals import ExportRequest

_FOUND = {"toxicity": "toxic", "faithfulness": "unfaithful", "relevance": "off-topic"}
_LONGEST_WAIT = 30
"""Seconds that the demonstration waits for scores on a busy machine."""
_AFTERWARDS = """
[bold]Now with your own agent.[/bold] Start the gateway and tell it where telemetry goes
(else the answers are shown here):

    export OTEL_EXPORTER_OTLP_ENDPOINT=http://your-backend:4317
    otel-agent-eval run

and, in the agent's shell, point the agent at the gateway instead:

    export OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
    export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf

Most instrumentations of OpenTelemetry record what was asked and answered only
when told to, for example by
OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY; the gateway's log
names the switch that yours needs.
"""
"""In lines that no terminal breaks: what is copied must run."""


def demo() -> None:
    """Run the demonstration; exit with 1 where the gateway cannot start."""
    try:
        uvloop.run(_demonstrate(Console()))
    except (ListenError, ModelError) as error:
        sys.exit(f"otel-agent-eval: {error}")


async def _demonstrate(console: Console) -> None:
    log_format.set_up("warn", "console")
    gateway = Gateway(_config())
    await gateway.start()
    grpc, http = (receiver.endpoint for receiver in gateway.receivers)
    console.print(f"The gateway listens on {grpc} (gRPC) and {http} (HTTP).\n")
    async with httpx.AsyncClient(timeout=30) as client:
        console.print(
            "[bold]Recorded agents[/bold]: the spans as each instrumentation sends them, the model's texts canned\n"
        )
        for request in recordings():
            await _send(client, http, request)
        await _judged(client, gateway)
        console.print("\n[bold]Answers from public data[/bold], as an agent's spans, in this order:\n")
        for answer in quoted():
            console.print(f"  {answer.source}", style="dim", highlight=False)
        console.print()
        for answer in quoted():  # one by one, so that they stand below their sources in the same order
            await _send(client, http, spoken(answer))
            await _judged(client, gateway)
        counts = await _counts(client, gateway)
    await gateway.stop()
    found = ", ".join(f"{number:g} {name}" for name, number in counts.items())
    console.print(f"\n[bold]Found:[/bold] {found}.")
    console.print(_AFTERWARDS, highlight=False)


def _config() -> Config:
    """Return the embedded defaults, on whatever ports are free, shown on the console, with time for a busy machine."""
    text = files("otel_agent_eval.config").joinpath("default.yaml").read_text("utf-8")
    for port in ("4317", "4318"):
        text = text.replace(f"127.0.0.1:{port}", "127.0.0.1:0")
    text = text.replace("mode: annotate", f"mode: annotate\n    score_deadline: {_LONGEST_WAIT}s")
    text += "  queue: {storage: memory}\n"
    text += '  telemetry: {metrics: {address: "127.0.0.1:0", last_failure_file: null}, logs: {level: warn}}\n'
    return loads(text, DEFAULTS, {}).config


async def _send(client: httpx.AsyncClient, endpoint: str, request: ExportRequest) -> None:
    path = "logs" if isinstance(request, ExportLogsServiceRequest) else "traces"
    answer = await client.post(
        f"http://{endpoint}/v1/{path}",
        content=request.SerializeToString(),
        headers={"content-type": "application/x-protobuf"},
    )
    answer.raise_for_status()


async def _judged(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Wait until the gateway holds no span any more, and has had a moment to print."""
    for _ in range(_LONGEST_WAIT * 10):
        await asyncio.sleep(0.1)
        if not _sum(await _metrics(client, gateway), "agent_eval_gateway_held", {}):
            break
    await asyncio.sleep(0.3)


async def _counts(client: httpx.AsyncClient, gateway: Gateway) -> dict[str, float]:
    """Read from the gateway's own metrics how many answers failed which evaluation."""
    page = await _metrics(client, gateway)
    failed = {"gen_ai_evaluation_score_label": "fail"}
    return {
        name: _sum(page, "agent_eval_evaluations_total", {"gen_ai_evaluation_name": evaluator, **failed})
        for evaluator, name in _FOUND.items()
    }


async def _metrics(client: httpx.AsyncClient, gateway: Gateway) -> str:
    address = gateway.admin.endpoint if gateway.admin is not None else ""
    return (await client.get(f"http://{address}/metrics")).text


def _sum(page: str, name: str, labels: Mapping[str, str]) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )
