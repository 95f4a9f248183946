"""The gateway's own pages: `/healthz` (alive), `/readyz` (takes telemetry), `/metrics` (for Prometheus)."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


def admin_app(not_ready: Callable[[], str], metrics: Callable[[str], Awaitable[tuple[bytes, str] | None]]) -> Starlette:
    """Build the pages.

    `not_ready` says why the gateway takes no telemetry, `""` when it does; `metrics` takes an `Accept` header and gives
    the page and its content type, None while there is none yet.
    """

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        reason = not_ready()
        return PlainTextResponse(f"{reason or 'ready'}\n", 503 if reason else 200)

    async def metrics_page(request: Request) -> Response:
        page = await metrics(request.headers.get("accept", ""))
        if page is None:
            return PlainTextResponse(f"{not_ready()}\n", 503)
        body, content_type = page
        return Response(body, headers={"content-type": content_type})

    return Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics_page)],
    )
