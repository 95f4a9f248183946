"""Who may read the gateway's own pages."""

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from otel_agent_eval.auth import Authenticator
from otel_agent_eval.signals import Refused

_FOR_EVERYBODY = frozenset({"/healthz", "/readyz"})  # orchestrators ask, and have no credentials


def guarded(app: ASGIApp, authenticator: Authenticator | None) -> ASGIApp:
    """Return `app` behind what decides who may read its pages; without that, `app` itself."""
    if authenticator is None:
        return app

    async def admit(scope: Scope, receive: Receive, send: Send) -> None:
        answer: ASGIApp = app
        if scope["type"] == "http" and scope["path"] not in _FOR_EVERYBODY:
            try:
                if not await authenticator.admits(Headers(scope=scope).get("authorization", "")):
                    challenge = {"www-authenticate": authenticator.challenge}
                    answer = PlainTextResponse("credentials are missing or wrong\n", 401, challenge)
            except Refused as error:
                answer = PlainTextResponse(f"{error}\n", 503, {"retry-after": "1"})
        await answer(scope, receive, send)

    return admit
