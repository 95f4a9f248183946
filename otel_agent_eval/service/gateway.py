"""The running gateway: everything a configuration names, wired, started, drained and stopped."""

import asyncio
import logging
import os
import socket
import time
from functools import partial

from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from otel_agent_eval import __version__
from otel_agent_eval.annotation.catalogue import Bound
from otel_agent_eval.annotation.gateway_metrics import GatewayMetrics
from otel_agent_eval.annotation.last_failure import LastFailureFile
from otel_agent_eval.annotation.values import attribute
from otel_agent_eval.asgi import AsgiServer
from otel_agent_eval.config import Config
from otel_agent_eval.service import build
from otel_agent_eval.service.admin import admin_app
from otel_agent_eval.service.judges import Judges
from otel_agent_eval.service.own_metrics import (
    OwnMetrics,
    observe_delivery,
    observe_loss,
    observe_request,
    read_queues,
)
from otel_agent_eval.service.passage import Passage
from otel_agent_eval.service.replay import replay
from otel_agent_eval.signals import Signal

_log = logging.getLogger(__name__)

_RECEIVE_SECONDS, _JUDGE_SECONDS, _KEEP_SECONDS, _DELIVER_SECONDS, _CLOSE_SECONDS = 3.0, 6.0, 2.0, 6.0, 2.0
"""How long a stop waits for requests in flight, for scores, for the disk, for destinations, and for models:
orchestrators kill a process that has not ended after 20 or 30 seconds."""
_SAVE_SECONDS = 1.0
"""How often the times of the last failures are written down: an alert may rest on the newest."""


class Gateway:
    """One gateway. `start`, then `stop`; both once.

    `start` raises `ModelError`, `ListenError`, `QueueError` or `ValueError` with one clear message where a part cannot
    be used.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._destinations = build.destination_signals(config)
        self._gateway_metrics = GatewayMetrics(self._destinations)
        self._journal = build.journal(config, partial(observe_loss, self._gateway_metrics))
        self._delivery = build.delivery(config, self._journal, partial(observe_delivery, self._gateway_metrics))
        self._passage = Passage(self._journal, self._delivery)
        self._judges = Judges(self._passage.leave)
        observe = partial(observe_request, self._gateway_metrics)
        self.receivers = build.receivers(config, self._passage.accept, observe)
        self._own: OwnMetrics | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._not_ready = "starting"
        self.admin: AsgiServer | None = None

    @property
    def stuck(self) -> bool:
        """Whether, after `stop`, a thread of an evaluator still runs: the process must then end without waiting."""
        return self._judges.stuck

    async def start(self) -> None:
        """Show that it starts, open the journal, load the models, then listen."""
        started = time.monotonic()
        await self._start_admin()
        await self._journal.start()
        has_logs = any(Signal.LOGS in signals for signals in self._destinations.values())
        await self._judges.start(self._config.agent_eval, events=has_logs)
        answers, evaluators = self._judges.answers, list(self._judges.evaluators)
        own = self._own = OwnMetrics(
            self._gateway_metrics, answers, _own_resource(), self._last_failures(), self._refresh
        )
        self._passage.scoring, self._passage.reads = self._judges.scoring, build.signals_read(self._config)
        await self._delivery.start()
        for receiver in self.receivers:
            await receiver.start()
        replaying = replay(self._journal, self._judges.scoring, self._delivery.push, build.AGENT_EVAL)
        self._tasks = [asyncio.create_task(self._save(own)), asyncio.create_task(replaying)]
        if Signal.METRICS in self._config.service.pipelines.by_signal():
            self._tasks.append(asyncio.create_task(self._push(own)))
        self._not_ready = ""
        _log.info("ready", extra={"seconds": round(time.monotonic() - started, 2), "evaluators": evaluators})

    async def stop(self) -> None:
        """Take nothing more, judge and send what is held, wait for the destinations, and stop."""
        self._not_ready = "stopping"
        await asyncio.gather(*(receiver.stop(_RECEIVE_SECONDS) for receiver in self.receivers))
        await self._judges.drain(_JUDGE_SECONDS)
        await self._judges.close(_CLOSE_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._own is not None:
            self._own.save()
            if Signal.METRICS in self._config.service.pipelines.by_signal():
                self._passage.leave(self._own.request(), ())
        await self._passage.finish(_KEEP_SECONDS)
        await self._delivery.stop(_DELIVER_SECONDS)
        await self._journal.stop()
        if self.admin is not None:
            await self.admin.stop(grace=1.0)
        _log.info("stopped")

    def _last_failures(self) -> LastFailureFile | None:
        path = self._config.service.telemetry.metrics.last_failure_file
        if path is None:
            return None
        try:
            return LastFailureFile(path.expanduser())
        except RuntimeError:  # a user without a home, as in some containers
            _log.warning(
                "there is no home directory: a restart will forget the last failures", extra={"path": str(path)}
            )
            return None

    def _refresh(self) -> None:
        read_queues(self._gateway_metrics, self._journal, self._delivery, self._destinations)
        scoring = self._judges.scoring
        if scoring is not None:
            for lack, spans in scoring.held().items():
                self._gateway_metrics.held(lack, spans)
            for bound, total in scoring.evictions().items():
                self._gateway_metrics.evicted(Bound(bound), total)

    async def _start_admin(self) -> None:
        address = self._config.service.telemetry.metrics.address
        if address is None:
            return
        app = admin_app(lambda: self._not_ready, self._page)
        self.admin = AsgiServer(app, str(address), "service.telemetry.metrics.address")
        await self.admin.start()

    async def _page(self, accept: str) -> tuple[bytes, str] | None:
        return await self._own.page(accept) if self._own is not None else None

    async def _save(self, own: OwnMetrics) -> None:
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            own.save()

    async def _push(self, own: OwnMetrics) -> None:
        interval = self._config.service.telemetry.metrics.interval
        while True:
            await asyncio.sleep(interval)
            payload = own.request()
            if self._delivery.room(Signal.METRICS, len(payload.body)):  # cumulative: the next push says it all again
                await self._passage.keep(payload)


def _own_resource() -> Resource:
    attributes = {
        "service.name": "otel-agent-eval",
        "service.version": __version__,
        "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
    }
    return Resource(attributes=[attribute(name, value) for name, value in attributes.items()])
