"""Runs a gateway as a process: until SIGTERM or SIGINT, then drained."""

import asyncio
import gc
import logging
import os
import signal
import sys
from dataclasses import replace

import uvloop

from otel_agent_eval.config import Config
from otel_agent_eval.exporters.plugins import PluginError
from otel_agent_eval.journal import QueueError
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.receivers import ListenError
from otel_agent_eval.service import log_format
from otel_agent_eval.service.build import destination_signals
from otel_agent_eval.service.gateway import Gateway

_log = logging.getLogger(__name__)


def run(config: Config) -> int:
    """Run until a signal stops it; return the exit status. What cannot be started is said in one line, status 1."""
    settings = config.service.telemetry.logs
    log_format.set_up(settings.level, settings.encoding)
    return uvloop.run(_serve(config))


async def _serve(config: Config) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, stopping, number)
    try:
        gateway = Gateway(config)
        _tell_where_it_goes(config)
        await gateway.start()
    except (ListenError, ModelError, PluginError, QueueError, ValueError) as error:
        sys.stderr.write(f"otel-agent-eval: {error}\n")
        return 1
    _calm_collector()
    await stopping.wait()
    await gateway.stop()
    if gateway.stuck:
        logging.shutdown()
        os._exit(0)  # the interpreter would wait for every thread
    return 0


def _tell_where_it_goes(config: Config) -> None:
    """Log the destinations, without what can be a secret in a URL."""
    for name, signals in destination_signals(config).items():
        endpoints = {key: str(replace(url, query="")) for key, url in config.exporters[name].endpoints().items()}
        _log.info("sending", extra={"destination": name, "signals": sorted(map(str, signals)), **endpoints})


def _calm_collector() -> None:
    """Let full garbage collections be rare and small: each stops everything, for 200 ms while traces are many.

    What has been loaded so far stays, so no collection need look at it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _stop(stopping: asyncio.Event, number: signal.Signals) -> None:
    """Begin to stop; asked a second time, end at once."""
    if stopping.is_set():
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    _log.info("draining", extra={"signal": number.name})
    stopping.set()
