"""`otel-agent-eval run`: the gateway."""

import os
import signal
import sys
from functools import partial
from pathlib import Path

from otel_agent_eval.commands.configuration import loaded
from otel_agent_eval.config import load


def run(path: Path | None) -> None:
    """Run the gateway until it is told to stop; exit with 1 where its configuration is wrong or it cannot start."""
    found = loaded(path)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it is heeded: else it would end what is starting
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # senders could have it write lines of its own into the log
    from otel_agent_eval.service.run import run as serve  # noqa: PLC0415 (a wrong configuration is told at once)

    sys.exit(serve(partial(load, path), found))
