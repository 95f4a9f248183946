"""OTLP over HTTP: POST /v1/{traces,logs,metrics}, protobuf or JSON, gzip or none."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from google.protobuf import json_format
from google.rpc.status_pb2 import Status
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router

from otel_agent_eval.asgi import AsgiServer
from otel_agent_eval.connections import ConnectionLimits, client_of
from otel_agent_eval.listen import ServerTls
from otel_agent_eval.receivers.errors import Cause, Rejection, TooLarge, Unavailable
from otel_agent_eval.receivers.gate import Gate
from otel_agent_eval.receivers.intake import Intake, Transport
from otel_agent_eval.signals import Signal

DEFAULT_HTTP_ENDPOINT = "127.0.0.1:4318"

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

_SUCCESS = {PROTOBUF: b"", JSON: b"{}"}  # a response with partial_success unset
_GZIP_BY_ENCODING = {"": False, "identity": False, "none": False, "gzip": True, "x-gzip": True}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits(ConnectionLimits):
    """What an HTTP receiver bears; times in seconds.

    `read_timeout` is for the body of a request, `buffered_bytes` for all bodies that are being read.
    """

    read_timeout: float = 30.0
    buffered_bytes: int = 512 << 20


class OtlpHttpReceiver:
    """Serves OTLP over HTTP/1.1.

    `signals` are served, which may change, others answered 404: what has nowhere to go must not be taken.
    `gate` decides who may send, without one everybody. A sender that is too slow is asked to try again. `key` is where
    the endpoint is configured, for the message when it cannot be used. `handshake_failed` is called for each TLS
    handshake that fails.
    """

    def __init__(
        self,
        intake: Intake,
        endpoint: str = DEFAULT_HTTP_ENDPOINT,
        *,
        signals: Collection[Signal] = frozenset(Signal),
        tls: ServerTls | None = None,
        gate: Gate | None = None,
        limits: HttpLimits | None = None,
        key: str = "receivers.otlp.protocols.http.endpoint",
        handshake_failed: Callable[[], None] = lambda: None,
    ) -> None:
        self.endpoint = endpoint
        self._intake = intake
        self.signals = frozenset(signals)
        self._tls = tls
        self._gate = gate
        self._limits = limits or HttpLimits()
        self._buffered = 0
        self.key = key
        self._handshake_failed = handshake_failed
        self._server: AsgiServer | None = None

    @property
    def app(self) -> Starlette:
        """The ASGI application, for a server other than ours."""
        routes = [Route(f"/v1/{signal}", self._export(signal), methods=["POST"]) for signal in Signal]
        app = Starlette(exception_handlers={HTTPException: _not_served})
        app.router = Router(routes, redirect_slashes=False)
        return app

    async def start(self) -> None:
        """Listen; `endpoint` then holds the real port. Raises `ListenError`."""
        server = AsgiServer(self.app, self.endpoint, self.key, self._tls, self._limits, self._handshake_failed)
        await server.start()
        self._server, self.endpoint = server, server.endpoint
        _log.info("listening", extra={"protocol": "http", "endpoint": self.endpoint})

    async def stop(self, grace: float = 5.0) -> None:
        """Accept nothing new, let requests in flight finish for `grace` seconds, then refuse them (retryable)."""
        self._intake.stop()
        if self._server is not None:
            await self._server.stop(grace)

    def _export(self, signal: Signal) -> Callable[[Request], Awaitable[Response]]:
        async def export(request: Request) -> Response:
            if signal not in self.signals:
                raise HTTPException(Cause.NO_SUCH_PATH.http_status)
            try:
                return await self._answer(signal, request)
            except ClientDisconnect:
                return Response(status_code=Cause.SLOW.http_status)  # nobody is there to read it
            except asyncio.CancelledError:  # the grace is over; the server's own answer, 500, would lose the data
                return _rejected(Unavailable(Cause.STOPPING, "shutting down"), _media_type(request))

        return export

    async def _answer(self, signal: Signal, request: Request) -> Response:
        media_type = _media_type(request)
        client = client_of(request.client.host) if self._gate is not None and request.client else ""
        try:
            await self._let_in(client, request)
            body = await self._read(request)
        except Rejection as rejection:
            self._intake.observe(signal, Transport.HTTP, 0, rejection.cause)
            # the rest of the body is not waited for
            return _rejected(rejection, media_type, close=True, challenge=self._gate.challenge if self._gate else "")
        if (unsupported := _unsupported(request, media_type)) is not None:
            self._intake.observe(signal, Transport.HTTP, 0, unsupported.cause)
            return _rejected(unsupported, media_type)
        gzip = _GZIP_BY_ENCODING[_encoding(request)]
        headers = request.headers.items()
        size = len(body)
        try:
            size = await self._intake.take(signal, Transport.HTTP, body, headers, gzip=gzip, json=media_type == JSON)
        except Rejection as rejection:
            return _rejected(rejection, media_type)
        finally:
            if self._gate is not None:
                self._gate.charge(client, size)
        return Response(_SUCCESS[media_type], media_type=media_type)

    async def _let_in(self, client: str, request: Request) -> None:
        """Return where the sender may send. Raises `Rejection`, for which it has come to read its answer."""
        if self._gate is None:
            return
        try:
            await self._gate.admit(client, request.headers.get("authorization", ""))
        except Rejection:
            if "expect" not in request.headers:  # else it waits with the body until it is asked for
                with contextlib.suppress(Rejection):
                    await self._read(request, keep=False)
            raise

    async def _read(self, request: Request, *, keep: bool = True) -> bytes:
        """Read the body up to the limit, and then on for a while, so that the sender comes to read its answer."""
        limit = self._intake.max_bytes
        parts: list[bytes] = []
        size = held = 0
        try:
            async with asyncio.timeout(self._limits.read_timeout):
                if int(request.headers.get("content-length", "0")) > 2 * limit:
                    raise TooLarge(limit)
                async for part in request.stream():
                    size += len(part)
                    if size > 2 * limit:
                        break
                    if not keep or size > limit:
                        parts.clear()
                        continue
                    parts.append(part)
                    held += len(part)
                    self._buffered += len(part)
                    if self._buffered > self._limits.buffered_bytes:
                        raise Unavailable(Cause.THROTTLED, "too much is being received")
        except TimeoutError:
            raise Unavailable(Cause.SLOW, "the request took too long to arrive") from None
        finally:
            self._buffered -= held
        if size > limit:
            raise TooLarge(limit)
        return b"".join(parts)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _encoding(request: Request) -> str:
    return request.headers.get("content-encoding", "").strip().lower()


def _unsupported(request: Request, media_type: str) -> Rejection | None:
    """Return the answer to a request in a type or an encoding that is not OTLP's."""
    if media_type not in _SUCCESS:
        return Rejection(Cause.UNSUPPORTED_MEDIA_TYPE, f"Content-Type must be {PROTOBUF} or {JSON}")
    if _encoding(request) not in _GZIP_BY_ENCODING:
        return Rejection(Cause.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding must be gzip or identity")
    return None


def _rejected(rejection: Rejection, media_type: str, *, close: bool = False, challenge: str = "") -> Response:
    """Answer in the content type of the request; in JSON, which people can read, where that is not one of ours."""
    headers = {"Connection": "close"} if close else {}
    if rejection.cause is Cause.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = challenge
    if rejection.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(rejection.retry_after)))
    if rejection.cause is Cause.UNSUPPORTED_MEDIA_TYPE:
        headers["Accept-Encoding"] = "gzip, identity"
    return _status_response(rejection.status(), rejection.cause.http_status, media_type, headers)


def _not_served(request: Request, error: Exception) -> Response:
    """Answer for what has no route: an unknown path (404) or another method (405, with Allow)."""
    assert isinstance(error, HTTPException)  # noqa: S101 (registered for this type only)
    cause = Cause.WRONG_METHOD if error.status_code == Cause.WRONG_METHOD.http_status else Cause.NO_SUCH_PATH
    message = "POST to /v1/traces, /v1/logs or /v1/metrics, where a pipeline takes that signal"
    status = Rejection(cause, message).status()
    return _status_response(status, error.status_code, _media_type(request), dict(error.headers or {}))


def _status_response(status: Status, code: int, media_type: str, headers: dict[str, str]) -> Response:
    if media_type == PROTOBUF:
        return Response(status.SerializeToString(), code, headers, PROTOBUF)
    return Response(json_format.MessageToJson(status, indent=None), code, headers, JSON)
