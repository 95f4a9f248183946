"""The gateway as its users run it: a process with a configuration file."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import yaml
from support.processes import free_port, running


class RunningGateway(NamedTuple):
    """Where a gateway listens, and its process id."""

    grpc_endpoint: str
    http_endpoint: str
    admin: str
    pid: int
    log: Path


def configuration(
    exporters: Mapping[str, Any], processor: Mapping[str, Any] | None = None, **telemetry: Any
) -> dict[str, Any]:
    """Return a configuration that listens on free ports and sends all signals to all exporters."""
    names = list(exporters)
    return {
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": f"127.0.0.1:{free_port()}"},
                    "http": {"endpoint": f"127.0.0.1:{free_port()}"},
                }
            }
        },
        "processors": {"agent_eval": {"context_wait": "2s", **(processor or {})}},
        "exporters": dict(exporters),
        "service": {
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": ["agent_eval"], "exporters": names},
                "logs": {"receivers": ["otlp"], "processors": ["agent_eval"], "exporters": names},
                "metrics": {"receivers": ["otlp"], "exporters": names},
            },
            "queue": {"storage": "memory"},
            "telemetry": {
                "metrics": {"address": f"127.0.0.1:{free_port()}", "last_failure_file": None, **telemetry},
                "logs": {"encoding": "json"},
            },
        },
    }


@contextmanager
def gateway(config: Mapping[str, Any], folder: Path) -> Iterator[RunningGateway]:
    """Run a gateway until the block ends, and check that it then stops cleanly."""
    file = folder / f"gateway-{free_port()}.yaml"
    file.write_text(yaml.safe_dump(dict(config)))
    log = file.with_suffix(".log")
    protocols = config["receivers"]["otlp"]["protocols"]
    admin = f"http://{config['service']['telemetry']['metrics']['address']}"

    def ready() -> bool:
        try:
            return httpx.get(f"{admin}/readyz", timeout=2).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    command = [sys.executable, "-m", "otel_agent_eval", "run", "--config", str(file)]
    with running(command, ready=ready, log=log) as process:
        yield RunningGateway(
            protocols["grpc"]["endpoint"], f"http://{protocols['http']['endpoint']}", admin, process.pid, log
        )
    assert process.returncode == 0, log.read_text()[-2000:]
    assert "Traceback" not in log.read_text()
