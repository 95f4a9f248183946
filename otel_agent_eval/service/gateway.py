"""The running gateway: everything a configuration names, wired, started, drained and stopped."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from functools import partial

from starlette.applications import Starlette

from otel_agent_eval.annotation.catalogue import Bound, Transport
from otel_agent_eval.annotation.gateway_metrics import GatewayMetrics
from otel_agent_eval.annotation.last_failure import LastFailureFile
from otel_agent_eval.asgi import AsgiServer
from otel_agent_eval.config import Config
from otel_agent_eval.delivery import Delivery, Destination, redacting
from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.receivers import OtlpGrpcReceiver, OtlpHttpReceiver
from otel_agent_eval.service import build, edges
from otel_agent_eval.service.admin import LIMITS, admin_app
from otel_agent_eval.service.admission import guarded
from otel_agent_eval.service.judges import Judges
from otel_agent_eval.service.memory import Level, memory_in_use
from otel_agent_eval.service.observer import Observer
from otel_agent_eval.service.own_metrics import (
    OwnMetrics,
    observe_delivery,
    observe_loss,
    observe_request,
    read_queues,
)
from otel_agent_eval.service.own_telemetry import own_resource
from otel_agent_eval.service.own_traces import own_traces
from otel_agent_eval.service.passage import Passage
from otel_agent_eval.service.reload import check
from otel_agent_eval.service.replay import replay
from otel_agent_eval.service.status import Status, StatusBoard
from otel_agent_eval.service.whereabouts import Whereabouts, find
from otel_agent_eval.signals import Signal

_log = logging.getLogger(__name__)

_RECEIVE_SECONDS, _JUDGE_SECONDS, _KEEP_SECONDS, _DELIVER_SECONDS, _CLOSE_SECONDS = 3.0, 6.0, 2.0, 6.0, 2.0
_CHANGE_SECONDS = 5.0
"""How long a stop waits for requests in flight, for scores, for the disk, for destinations, for models, and for a
reload that is not over: orchestrators kill a process that has not ended after 20 or 30 seconds."""
_SAVE_SECONDS = 1.0
"""How often the times of the last failures are written down: an alert may rest on the newest."""

Receiver = OtlpGrpcReceiver | OtlpHttpReceiver
_Place = tuple[str, str]
"""The key that configures a receiver's endpoint, and the endpoint as it stands there."""


class Gateway:
    """One gateway. `start`, then `stop`, both once; in between any number of `reload`, one at a time.

    `start` raises `ModelError`, `ListenError`, `QueueError` or `ValueError` with one clear message where a part cannot
    be used.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        destinations = build.destination_signals(config)
        self._gateway_metrics = GatewayMetrics(destinations)
        self._journal = build.journal(config, partial(observe_loss, self._gateway_metrics))
        self._letters = build.dead_letters(config)
        self._observer = Observer(self._gateway_metrics, own_traces(config.service.telemetry))
        self._delivery = Delivery(self._journal, [self._destination(config, n) for n in destinations], self._letters)
        self._passage = Passage(self._journal, self._delivery)
        self._judges = Judges(self._passage.leave, self._gateway_metrics.worker_ended)
        self._own: OwnMetrics | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changing: asyncio.Future[list[None]] | None = None
        self._not_ready = "starting"
        self._status = StatusBoard(
            self._journal, self._delivery, self._judges, self._gateway_metrics.tables, state=lambda: self._not_ready
        )
        self.history = self._status.history
        self._listening = self._receivers(config)
        self.admin: AsgiServer | None = None

    @property
    def receivers(self) -> list[Receiver]:
        """The receivers that there are now."""
        return list(self._listening.values())

    @property
    def stuck(self) -> bool:
        """Whether, after `stop`, a thread of an evaluator or a redaction still runs: the process must end at once."""
        return self._judges.stuck or redacting()

    async def start(self) -> None:
        """Show that it starts, open the journal, load the models, then listen."""
        started = time.monotonic()
        await self._start_admin()
        await self._journal.start()
        engine = await self._judges.prepare(self._config.agent_eval)
        await self._judge(self._config, engine)
        own = self._own = OwnMetrics(
            self._gateway_metrics,
            lambda: self._judges.answers,
            own_resource(self._config.service.telemetry),
            self._last_failures(),
            self._refresh,
        )
        limiter = build.memory_limiter(self._config, self._relieve)
        if limiter is not None:
            limiter.check()
        await self._delivery.start()
        for receiver in self.receivers:
            await receiver.start()
        replaying = replay(self._journal, self._judges.scoring, self._delivery.push, build.AGENT_EVAL)
        self._tasks = [asyncio.create_task(work) for work in (self._save(own), self._push(own), replaying)]
        if limiter is not None:
            self._tasks.append(asyncio.create_task(limiter.watch()))
        if self._observer.traces is not None:
            self._observer.traces.telemetry.start()
        self._not_ready = ""
        evaluators = list(self._judges.evaluators)
        _log.info("ready", extra={"seconds": round(time.monotonic() - started, 2), "evaluators": evaluators})

    async def reload(self, config: Config) -> None:
        """Go on with another configuration; nothing that was acknowledged, waits or is under way is lost.

        Raises `ReloadError` where something changed that needs a restart, and what `start` raises where something
        cannot be used: then all goes on as before. A configuration takes effect as a whole or not at all.
        """
        check(self._config, config)
        engine = await self._judges.prepare(config.agent_eval)
        made = self._receivers(config)
        serving = {place: receiver.signals for place, receiver in made.items()}
        destinations: list[Destination] = []
        try:
            for name in build.destination_signals(config):
                destinations += [self._kept(config, name) or self._destination(config, name)]
            listening = await self._listen(made)
        except BaseException:
            for destination in destinations:
                if destination not in self._delivery.destinations.values():
                    await destination.hand_over(0.0)
            await self._judges.discard(engine)
            raise
        gone = [receiver for receiver in self.receivers if receiver not in listening.values()]
        self._gateway_metrics.begin(build.destination_signals(config))
        self._journal.adopt(build.journal_limits(config))  # from here on all changes at once: nothing is awaited
        changing = self._delivery.replace(destinations, _DELIVER_SECONDS), self._judge(config, engine)
        for place, receiver in listening.items():
            receiver.signals = serving[place]
        self._config, self._listening = config, listening
        stopping = [receiver.stop(_RECEIVE_SECONDS) for receiver in gone]
        self._changing = asyncio.ensure_future(asyncio.gather(*changing, *stopping))
        await asyncio.shield(self._changing)  # a stop meanwhile waits for it

    async def stop(self) -> None:
        """Take nothing more, judge and send what is held, wait for the destinations, and stop."""
        self._not_ready = "stopping"
        await asyncio.gather(*(receiver.stop(_RECEIVE_SECONDS) for receiver in self.receivers))
        await self._judges.drain(_JUDGE_SECONDS)
        if self._changing is not None:
            await asyncio.wait([self._changing], timeout=_CHANGE_SECONDS)
        await self._judges.close(_CLOSE_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._own is not None:
            self._own.save()
            if self._pushes:
                self._passage.leave(self._own.request(), ())
        await self._passage.finish(_KEEP_SECONDS)
        await self._delivery.stop(_DELIVER_SECONDS)
        await self._journal.stop()
        if self._observer.traces is not None:
            await self._observer.traces.telemetry.stop()
        if self.admin is not None:
            await self.admin.stop(grace=1.0)
        _log.info("stopped")

    def _destination(self, config: Config, name: str) -> Destination:
        observe = partial(observe_delivery, self._gateway_metrics)
        return build.destination(config, name, self._journal, self._letters, observe, self._observer.attempted)

    def _kept(self, config: Config, name: str) -> Destination | None:
        """Return the destination of before, if it stays as it is."""
        destination = self._delivery.destinations.get(name)
        if destination is None or build.destination_settings(config, name) != build.destination_settings(
            self._config, name
        ):
            return None
        return destination

    def _receivers(self, config: Config) -> dict[_Place, Receiver]:
        """Make the receivers of a configuration, by where it says that they listen."""
        observe = partial(observe_request, self._gateway_metrics, self._status.refusals)
        sink, failed = self._observer.of(self._passage.accept), self._gateway_metrics.handshake_failed
        made = build.receivers(config, sink, observe, failed)
        return {(receiver.key, receiver.endpoint): receiver for receiver in made}

    async def _listen(self, made: Mapping[_Place, Receiver]) -> dict[_Place, Receiver]:
        """Return the receivers that listen already, and start the others, for what has somewhere to go already."""
        listening, begun = dict[_Place, Receiver](), list[Receiver]()
        takes = frozenset(self._config.service.pipelines.by_signal())
        try:
            for place, receiver in made.items():
                listening[place] = self._listening.get(place, receiver)
                if listening[place] is receiver:
                    receiver.signals &= takes
                    await receiver.start()
                    begun.append(receiver)
        except BaseException:
            for receiver in begun:
                await receiver.stop(_RECEIVE_SECONDS)
            raise
        return listening

    def _judge(self, config: Config, engine: Engine | None) -> Coroutine[None, None, None]:
        """Judge as a configuration says from now on; what is returned waits for what was begun before."""
        events = any(Signal.LOGS in signals for signals in build.destination_signals(config).values())
        ending = self._judges.adopt(config.agent_eval, engine, events=events)
        if self._judges.scoring is not None:
            self._judges.scoring.sightings.waited = self._observer.waited
        self._passage.scoring, self._passage.reads = self._judges.scoring, build.signals_read(config)
        self._passage.limited = build.signals_limited(config)
        return ending

    def _relieve(self, level: Level) -> None:
        """Refuse and leave out what can wait while memory is short, if a pipeline wants that."""
        if self._passage.limited:
            self._judges.relieve(level)
            self._passage.short = level is not Level.ENOUGH

    @property
    def _pushes(self) -> bool:
        return Signal.METRICS in self._config.service.pipelines.by_signal()

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
        read_queues(self._gateway_metrics, self._journal, self._delivery)
        for name, capacity in build.queue_capacities(self._config).items():
            self._gateway_metrics.capacity(name, capacity)
        self._gateway_metrics.config(self.history.since, bool(self.history.problem))
        self._gateway_metrics.workers(self._judges.workers)
        self._gateway_metrics.memory(memory_in_use())
        scoring = self._judges.scoring
        if scoring is not None:
            for lack, spans in scoring.held().items():
                self._gateway_metrics.held(lack, spans)
            for bound, total in scoring.evictions().items():
                self._gateway_metrics.evicted(Bound(bound), total)

    async def _start_admin(self) -> None:
        settings = self._config.service.telemetry.metrics
        if settings.address is None:
            return
        app = guarded(self._pages(), edges.authenticator(self._config, settings.auth))
        tls = edges.server_tls(settings.tls)
        self.admin = AsgiServer(app, str(settings.address), "service.telemetry.metrics.address", tls, LIMITS)
        await self.admin.start()

    def _pages(self) -> Starlette:
        return admin_app(lambda: self._not_ready, self._page, self._status_now, self._find)

    def _status_now(self) -> Status:
        listening: dict[Transport, list[str]] = {}
        for receiver in self.receivers:
            transport = Transport.GRPC if isinstance(receiver, OtlpGrpcReceiver) else Transport.HTTP
            listening.setdefault(transport, []).append(receiver.endpoint)
        return self._status.now(self._config, listening)

    async def _find(self, wanted: str) -> Whereabouts:
        scoring = self._judges.scoring
        sightings = scoring.sightings if scoring is not None else None
        return await find(wanted, sightings, self._journal, self._letters, self._status.started)

    async def _page(self, accept: str) -> tuple[bytes, str] | None:
        return await self._own.page(accept) if self._own is not None else None

    async def _save(self, own: OwnMetrics) -> None:
        while True:
            await asyncio.sleep(_SAVE_SECONDS)
            own.save()

    async def _push(self, own: OwnMetrics) -> None:
        while True:
            await asyncio.sleep(self._config.service.telemetry.metrics.interval)
            if not self._pushes:
                continue
            payload = own.request()
            if self._delivery.room(Signal.METRICS, len(payload.body)):  # cumulative: the next push says it all again
                await self._passage.keep(payload)
