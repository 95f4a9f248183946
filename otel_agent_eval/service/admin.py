"""The gateway's own pages: `/healthz` (alive), `/readyz` (takes telemetry), `/metrics` (for Prometheus), `/status`."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from otel_agent_eval.connections import ConnectionLimits
from otel_agent_eval.service.status import Status
from otel_agent_eval.service.status_page import HEADERS, page
from otel_agent_eval.service.whereabouts import Whereabouts, clean_id

LIMITS = ConnectionLimits(connections=128, connections_per_client=16, make_room=True)
"""For some Prometheus servers, people with browsers, and the probes of an orchestrator, which always get in."""

_LONGEST_ID = 80
"""Characters of what was asked for that are shown again."""


def admin_app(
    not_ready: Callable[[], str],
    metrics: Callable[[str], Awaitable[tuple[bytes, str] | None]],
    status: Callable[[], Status],
    find: Callable[[str], Awaitable[Whereabouts]],
) -> Starlette:
    """Build the pages.

    `not_ready` says why the gateway takes no telemetry, `""` when it does; `metrics` takes an `Accept` header and gives
    the page and its content type, None while there is none yet; `find` takes a trace or span id, as `clean_id` gives.
    Pages that can be large are made one at a time, and ids looked for one at a time: Prometheus waits for no search.
    """
    making, searching = asyncio.Lock(), asyncio.Lock()

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        reason = not_ready()
        return PlainTextResponse(f"{reason or 'ready'}\n", 503 if reason else 200)

    async def metrics_page(request: Request) -> Response:
        async with making:
            if await request.is_disconnected():
                return Response(status_code=503)  # nobody is there to read it
            made = await metrics(request.headers.get("accept", ""))
        if made is None:
            return PlainTextResponse(f"{not_ready()}\n", 503)
        body, content_type = made
        return Response(body, headers={"content-type": content_type})

    async def status_page(request: Request) -> Response:
        asked = request.query_params.get("id", "")
        found, mistake = None, ""
        async with searching:
            if await request.is_disconnected():
                return Response(status_code=503)
            try:
                found = await find(clean_id(asked)) if asked.strip() else None
            except ValueError as error:
                mistake = str(error)
        if _wants_json(request):
            body = asdict(status()) | ({"found": _found(found)} if found else {})
            return JSONResponse(body | ({"error": mistake} if mistake else {}), 400 if mistake else 200, HEADERS)
        return HTMLResponse(page(status(), asked[:_LONGEST_ID], found, mistake), 400 if mistake else 200, HEADERS)

    pages = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics_page, "/status": status_page}
    return Starlette(routes=[Route(path, endpoint) for path, endpoint in pages.items()])


def _found(found: Whereabouts) -> dict[str, object]:
    answers = [
        {"trace_id": trace_id, "span_id": span_id, **asdict(sighting)}
        for (trace_id, span_id), sighting in found.answers
    ]
    return asdict(found) | {"answers": answers, "known": found.known}


def _wants_json(request: Request) -> bool:
    asked = request.query_params.get("format", "")
    accept = request.headers.get("accept", "")
    return asked == "json" or (not asked and "application/json" in accept and "text/html" not in accept)
