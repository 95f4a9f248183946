"""Runs a gateway as a process: until SIGTERM or SIGINT, then drained; SIGHUP has its configuration read again."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace

import uvloop

from otel_agent_eval.config import Config, ConfigError, Loaded
from otel_agent_eval.exporters.plugins import PluginError
from otel_agent_eval.journal import QueueError
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.receivers import ListenError
from otel_agent_eval.service import edges, log_format
from otel_agent_eval.service.build import destination_signals
from otel_agent_eval.service.gateway import Gateway
from otel_agent_eval.service.own_logs import OwnLogs
from otel_agent_eval.service.reload import ReloadError

_log = logging.getLogger(__name__)

_UNUSABLE = (ListenError, ModelError, PluginError, QueueError, ReloadError, ValueError)
"""What a configuration that is right in itself can meet with: each says in one line what is wrong."""


def run(read: Callable[[], Loaded], loaded: Loaded) -> int:
    """Run until a signal stops it; return the exit status. What cannot be started is said in one line, status 1.

    `read` reads the configuration again, of which `loaded` is what it said first.
    """
    return uvloop.run(_run(read, loaded))


async def _run(read: Callable[[], Loaded], loaded: Loaded) -> int:
    """Log, from the first line to the last, and serve."""
    try:
        logs = OwnLogs(loaded.config.service.telemetry)
    except ValueError as error:
        _say(error)
        return 1
    asyncio.get_running_loop().set_exception_handler(log_format.log_uncaught)
    logging.getLogger().addHandler(logs)
    _log_as(loaded.config)
    logs.telemetry.start()
    try:
        gateway = await _serve(read, loaded)
    finally:
        await logs.telemetry.stop()
    if gateway is None:
        return 1
    if gateway.stuck:
        logging.shutdown()
        os._exit(0)  # the interpreter would wait for every thread
    return 0


async def _serve(read: Callable[[], Loaded], loaded: Loaded) -> Gateway | None:
    """Run a gateway until a signal stops it, and return it; None where it cannot be started."""
    stopping, hangup = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, stopping, number)
    loop.add_signal_handler(signal.SIGHUP, hangup.set)
    edges.raise_file_limit()
    try:
        gateway = Gateway(loaded.config)
        gateway.history.succeeded(loaded)
        _tell_where_it_goes(loaded.config)
        edges.warn_of_open_doors(loaded.config)
        await gateway.start()
    except _UNUSABLE as error:
        _say(_placed(error, loaded))
        return None
    _calm_collector()
    reloading = asyncio.create_task(_reload_at(hangup, gateway, read))
    await stopping.wait()
    reloading.cancel()
    await asyncio.gather(reloading, return_exceptions=True)
    await gateway.stop()
    return gateway


async def _reload_at(hangup: asyncio.Event, gateway: Gateway, read: Callable[[], Loaded]) -> None:
    """Read the configuration again whenever that is asked for, and go on with it, or with the old one."""
    while True:
        await hangup.wait()
        hangup.clear()
        loaded = None
        try:
            loaded = await asyncio.to_thread(read)
            await gateway.reload(loaded.config)
        except (ConfigError, *_UNUSABLE) as error:
            problem, *more = _placed(error, loaded).splitlines()
            gateway.history.failed(problem)
            _log.error(
                "the new configuration cannot be used; the old one goes on",
                extra={"problem": problem, "more_problems": len(more)},
            )
        except Exception as error:  # noqa: BLE001 (whatever it is, the gateway goes on)
            gateway.history.failed(type(error).__name__)
            _log.exception("the configuration could not be reloaded")
        else:
            gateway.history.succeeded(loaded)
            _log_as(loaded.config)
            _log.info("the configuration was reloaded", extra={"config": loaded.source, "sha256": loaded.digest[:12]})
            _tell_where_it_goes(loaded.config)
            edges.warn_of_open_doors(loaded.config)


def _log_as(config: Config) -> None:
    settings = config.service.telemetry.logs
    log_format.set_up(settings.level, settings.encoding)


def _placed(error: Exception, loaded: Loaded | None) -> str:
    """Return what an error says, with file and line before it where it is about one key."""
    key = error.key if isinstance(error, ListenError | ReloadError) else ""
    line = loaded.line(key) if loaded is not None and key else 0
    return f"{loaded.source}:{line}: {error}" if loaded is not None and line else str(error)


def _say(error: Exception | str) -> None:
    """Say in one line why nothing can be started."""
    sys.stderr.write(f"otel-agent-eval: {error}\n")


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
