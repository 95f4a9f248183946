"""A gateway as a process of its own, with the evaluators of `plugin_evaluators`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import yaml
from live_gateway import plugin_folder
from support.processes import wait_until

from otel_agent_eval.signals import ExportRequest


class Process:
    """A gateway process; wait for `ready()` before sending."""

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        file = self.file = folder / "gateway.yaml"
        file.write_text(yaml.safe_dump(config))
        self.config = config
        self._client = httpx.Client(timeout=30)
        site = folder / "site"
        site.mkdir(exist_ok=True)
        paths = [str(plugin_folder(site)), str(Path(__file__).parent)]
        self.log = folder / "gateway.log"
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "otel_agent_eval", "run", "--config", str(file)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            )

    def endpoint(self, protocol: str) -> str:
        endpoint: str = self.config["receivers"]["otlp"]["protocols"][protocol]["endpoint"]
        return f"http://{endpoint}"

    def page(self, path: str) -> int | None:
        """Return the status of one of the gateway's own pages, None while nobody answers."""
        try:
            return self._client.get(
                f"http://{self.config['service']['telemetry']['metrics']['address']}/{path}"
            ).status_code
        except httpx.TransportError:
            return None

    def shown(self) -> tuple[str, float]:
        """Return why the last configuration was refused, on the page of the status, and what the metric says of it."""
        address = f"http://{self.config['service']['telemetry']['metrics']['address']}"
        problem: str = self._client.get(f"{address}/status?format=json").json()["config"]["problem"]
        metrics = self._client.get(f"{address}/metrics").text.splitlines()
        (value,) = [line.split()[-1] for line in metrics if line.startswith("agent_eval_gateway_config_refused")]
        return problem, float(value)

    def ready(self) -> None:
        wait_until(lambda: self.popen.poll() is not None or self.page("readyz") == 200, 30, "start of the gateway")

    def send(self, request: ExportRequest, path: str = "traces") -> int:
        headers = {"content-type": "application/x-protobuf"}
        url = f"{self.endpoint('http')}/v1/{path}"
        return self._client.post(url, content=request.SerializeToString(), headers=headers).status_code

    def end(self) -> None:
        """Make sure that nothing is left of it."""
        self._client.close()
        self.popen.kill()
        self.popen.wait(10)

    def records(self) -> list[dict[str, Any]]:
        """Return the log; each line must be a JSON object."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]
