"""Sends OTLP over HTTP, as protobuf, the bytes as they are."""

import asyncio
import gzip as gzip_format
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from otel_agent_eval import __version__
from otel_agent_eval.auth import Credentials
from otel_agent_eval.exporters.answers import MAX_RESPONSE_BYTES, read_http_error, read_response
from otel_agent_eval.exporters.connections import explained
from otel_agent_eval.exporters.exporter import Retryable, Unsupported
from otel_agent_eval.exporters.headers import check_headers, with_credentials
from otel_agent_eval.exporters.rejections import RejectionLog
from otel_agent_eval.exporters.tls import ClientTls
from otel_agent_eval.signals import Payload, Signal
from otel_agent_eval.tls import FollowingContext
from otel_agent_eval.watched import Watched

_COMPRESSION_LEVEL = 1  # on telemetry within some percent of the default, in a third of the time
_OFF_LOOP_BYTES = 1 << 16
_NEVER_PROXIED = ("all://localhost", "all://127.0.0.1", "all://[::1]")
_HEADERS = {
    "content-type": "application/x-protobuf",
    "accept-encoding": "identity",
    "user-agent": f"otel-agent-eval/{__version__}",
}


def signal_urls(endpoint: str) -> dict[Signal, str]:
    """Return the URLs under a base endpoint: `/v1/traces` and so on are added to its path."""
    return {signal: f"{endpoint.rstrip('/')}/v1/{signal}" for signal in Signal}


class OtlpHttpExporter:
    """Posts each signal to its URL; signals without one are not carried.

    `tls` counts for https URLs. `timeout` is in seconds, for one try. A header of the payload's metadata overrides the
    same one of `headers`; `credentials` give the header `authorization`. Raises `ValueError` for URLs that are none,
    TLS files that cannot be read and headers that cannot be sent.
    """

    def __init__(
        self,
        name: str,
        urls: Mapping[Signal, str],
        *,
        tls: ClientTls | None = None,
        headers: Mapping[str, str] | None = None,
        credentials: Credentials | None = None,
        gzip: bool = True,
        timeout: float = 5.0,
    ) -> None:
        for url in urls.values():
            if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
                raise ValueError(f"{name}: {url!r} is not an http or https URL")
        self.name = name
        self.signals = frozenset(urls)
        self._urls = dict(urls)
        self._gzip = gzip
        self._timeout = timeout
        encoding = {"content-encoding": "gzip"} if gzip else {}
        self._headers = check_headers(headers or {})
        self._credentials = credentials
        tls = tls or ClientTls()
        contexts = Watched(tls.files, tls.context, interval=tls.reload_interval)
        self._client = httpx.AsyncClient(
            headers=_HEADERS | encoding,
            verify=FollowingContext(ssl.PROTOCOL_TLS_CLIENT, contexts.get),
            timeout=timeout,
            follow_redirects=False,
            mounts=dict.fromkeys(_NEVER_PROXIED),
        )
        self._rejections = RejectionLog(name)

    async def export(self, payload: Payload) -> int:
        """Send one request; see `Exporter`."""
        url = self._urls.get(payload.signal)
        if url is None:
            raise Unsupported("no URL")
        body = await self._compress(payload.body) if self._gzip else payload.body
        headers = with_credentials(self._headers, self._credentials, payload.metadata)
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream("POST", url, content=body, headers=headers) as answer,
            ):
                if not answer.is_success:
                    raise read_http_error(answer.status_code, answer.headers)
                content = await _read_bounded(answer)
        except (httpx.TransportError, ssl.SSLError, TimeoutError) as error:
            raise Retryable(explained(type(error).__name__, str(error))) from None
        content_type = answer.headers.get("content-type", "application/x-protobuf")
        return self._rejections.note(payload.signal, *read_response(payload.signal, content, content_type))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _compress(self, body: bytes) -> bytes:
        if len(body) < _OFF_LOOP_BYTES:
            return gzip_format.compress(body, _COMPRESSION_LEVEL)
        return await asyncio.to_thread(gzip_format.compress, body, _COMPRESSION_LEVEL)


async def _read_bounded(answer: httpx.Response) -> bytes:
    """Read the body; one beyond the limit says nothing that is worth its size and reads as empty."""
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_raw():
        size += len(part)
        if size > MAX_RESPONSE_BYTES:
            return b""
        parts.append(part)
    return b"".join(parts)
