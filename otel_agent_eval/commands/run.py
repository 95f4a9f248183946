"""`otel-agent-eval run`: the gateway."""

from pathlib import Path

from otel_agent_eval import service
from otel_agent_eval.commands.configuration import loaded


def run(path: Path | None) -> None:
    """Run the gateway until it is told to stop; exit with 1 where its configuration is wrong."""
    service.run(loaded(path).config)
