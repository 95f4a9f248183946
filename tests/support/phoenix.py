"""Arize Phoenix, a real backend with a REST interface, on the loopback interface."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from backends.environments import python
from support.processes import free_port, listening, running


class Phoenix:
    """A running Phoenix: where it listens, and what it has stored."""

    def __init__(self, http_port: int, grpc_port: int) -> None:
        self.url = f"http://127.0.0.1:{http_port}"
        self.grpc_endpoint = f"127.0.0.1:{grpc_port}"

    def spans(self, project: str = "default") -> list[dict[str, Any]]:
        """Return the stored spans, as its API gives them."""
        answer = httpx.get(f"{self.url}/v1/projects/{project}/spans", params={"limit": 1000}, timeout=30)
        if answer.status_code == httpx.codes.NOT_FOUND:  # the project comes into being with its first span
            return []
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["data"]
        return found

    def matching(self, condition: str) -> list[str]:
        """Return the ids of the spans that satisfy a condition in Phoenix's filter language."""
        query = "query($f:String){projects{edges{node{spans(first:1000,filterCondition:$f){edges{node{spanId}}}}}}}"
        body = {"query": query, "variables": {"f": condition}}
        answer = httpx.post(f"{self.url}/graphql", json=body, timeout=30).raise_for_status().json()
        if answer.get("errors"):
            raise ValueError(str(answer["errors"])[:500])
        projects = answer["data"]["projects"]["edges"]
        return [span["node"]["spanId"] for project in projects for span in project["node"]["spans"]["edges"]]


@contextmanager
def phoenix(folder: Path) -> Iterator[Phoenix]:
    """Run Phoenix with its database in `folder`."""
    http_port, grpc_port = free_port(), free_port()
    env = {
        **os.environ,
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(http_port),
        "PHOENIX_GRPC_PORT": str(grpc_port),
        "PHOENIX_TELEMETRY_ENABLED": "false",
    }
    script = Path(__file__).parent / "phoenix_on_loopback.py"
    command = [python("phoenix"), "-P", script]  # -P: this folder has a phoenix.py of its own

    def ready() -> bool:
        return listening(http_port) and listening(grpc_port)

    with running(command, ready=ready, log=folder / "phoenix.log", env=env, seconds=100):
        yield Phoenix(http_port, grpc_port)
