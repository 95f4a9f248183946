"""A local server that speaks OpenAI's chat completions with canned answers, for the agents in tests/backends."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

ANSWERS = {
    "capital of France": "The capital of France is Paris.",
    "Eiffel Tower": "The Eiffel Tower is 330 metres tall and was completed in 1889.",
}


def answer_to(messages: list[dict[str, Any]]) -> str:
    """Choose the canned answer by the last user message."""
    asked = next((str(message.get("content")) for message in reversed(messages) if message["role"] == "user"), "")
    return next((answer for words, answer in ANSWERS.items() if words in asked), "I do not know.")


def _completion(body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer_to(body["messages"])}
    finish = "stop"
    if body.get("tools") and body["messages"][-1]["role"] != "tool":
        name = body["tools"][0]["function"]["name"]
        call = {"name": name, "arguments": json.dumps({"query": "the Eiffel Tower"})}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
        }
        finish = "tool_calls"
    return {
        "id": f"chatcmpl-{time.monotonic_ns()}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": f"{body['model']}-2024-07-18",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 42, "completion_tokens": 14, "total_tokens": 56},
    }


def _chunks(body: dict[str, Any]) -> Iterator[str]:
    base = {"id": "chatcmpl-stream", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    for word in answer_to(body["messages"]).split(" "):
        choice: dict[str, Any] = {"index": 0, "delta": {"role": "assistant", "content": f"{word} "}}
        yield f"data: {json.dumps({**base, 'choices': [choice | {'finish_reason': None}]})}\n\n"
    yield f"data: {json.dumps({**base, 'choices': [{'index': 0, 'delta': {}, 'finish_reason': 'stop'}]})}\n\n"
    yield "data: [DONE]\n\n"


async def _chat(request: Request) -> Response:
    body = await request.json()
    if body.get("stream"):
        return StreamingResponse(_chunks(body), media_type="text/event-stream")
    return JSONResponse(_completion(body))


@contextmanager
def model_server() -> Iterator[str]:
    """Serve on a free port of the loopback interface and give the base URL, ending in `/v1`."""
    app = Starlette(routes=[Route("/v1/chat/completions", _chat, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        if time.monotonic() > deadline:
            raise TimeoutError("the model server did not start within 10 s")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
