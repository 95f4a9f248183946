"""Messages and their parts, in every shape."""

import base64
import json
from typing import Any

import pytest

from otel_agent_eval.conventions.messages import input_turns, read_request, read_response

HI, OK = "How tall is it?", "It is 330 metres tall."
USER = [("user", HI)]

REQUESTS: dict[str, Any] = {
    "plain text": HI,
    "OTel": [{"role": "user", "parts": [{"type": "text", "content": HI}]}],
    "OTel before parts": [{"role": "user", "content": HI}],
    "OpenAI": {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": HI}]}]},
    "OpenAI responses": {"model": "m", "input": HI},
    "OpenAI responses, items": {
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": HI}]}]
    },
    "Gemini": {"contents": [{"role": "user", "parts": [{"text": HI}]}]},
    "Gemini without a role": {"contents": HI},
    "Bedrock": [{"role": "user", "content": [{"text": HI}]}],
    "Bedrock as JSON in JSON": [{"role": "user", "content": json.dumps([{"text": HI}])}],
    "AgentCore, twice": [
        {"role": "user", "content": json.dumps([{"role": "user", "content": json.dumps([{"text": HI}])}])}
    ],
    "LangChain, serialised": {
        "messages": [[{"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"], "kwargs": {"content": HI}}]]
    },
    "LangChain, to a dict": {"messages": [{"type": "human", "data": {"content": HI, "type": "human"}}]},
    "LangChain, dumped": {"messages": [{"type": "human", "content": HI}]},
    "LangGraph pairs": {"messages": [["user", HI]]},
    "OpenInference": [{"message": {"role": "user", "content": HI}}],
    "OpenInference contents": [
        {"message": {"role": "user", "contents": [{"message_content": {"type": "text", "text": HI}}]}}
    ],
    "OpenInference as JSON": [{"message.role": "user", "message.content": HI}],
    "Monocle": [json.dumps({"user": HI})],
    "Haystack 1": [{"_role": "user", "_content": [{"text": HI}]}],
    "Vercel": {"prompt": HI},
    "completions": {"prompt": [HI]},
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
@pytest.mark.parametrize("encodings", [0, 1, 2])
def test_a_request_gives_the_turns(request_: Any, encodings: int) -> None:
    for _ in range(encodings):
        request_ = json.dumps(request_)
    assert list(input_turns(read_request(request_))) == USER


RESPONSES: dict[str, Any] = {
    "plain text": OK,
    "OTel": [{"role": "assistant", "parts": [{"type": "text", "content": OK}], "finish_reason": "stop"}],
    "one message, no role": {"parts": [{"text": OK}]},
    "OpenAI": {"id": "x", "choices": [{"index": 0, "message": {"role": "assistant", "content": OK}}]},
    "OpenAI, refused": {"choices": [{"message": {"role": "assistant", "content": None, "refusal": OK}}]},
    "completions": {"choices": [{"index": 0, "text": OK}]},
    "OpenAI responses": {
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": OK}]},
        ]
    },
    "assistants": {"content": [{"type": "text", "text": {"value": OK, "annotations": []}}], "role": "assistant"},
    "Anthropic": {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": OK}],
        "stop_reason": "end_turn",
    },
    "Gemini": {"candidates": [{"content": {"role": "model", "parts": [{"text": OK}]}, "finish_reason": "STOP"}]},
    "ADK": {"content": {"role": "model", "parts": [{"text": "hm", "thought": True}, {"text": OK}]}},
    "Bedrock": {"output": {"message": {"role": "assistant", "content": [{"text": OK}]}}, "stopReason": "end_turn"},
    "Titan": {"results": [{"outputText": OK}]},
    "LangChain": {
        "generations": [
            [{"text": OK, "message": {"lc": 1, "id": ["langchain", "AIMessage"], "kwargs": {"content": OK}}}]
        ]
    },
    "Haystack": {"replies": [{"role": "assistant", "content": [{"text": OK}]}]},
    "Langfuse": {"role": "assistant", "content": OK},
    "audio with its transcript": {
        "choices": [{"message": {"role": "assistant", "audio": {"transcript": OK, "data": "x"}}}]
    },
}


@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES.keys())
@pytest.mark.parametrize("encodings", [0, 1, 2])
def test_a_response_gives_the_text_that_was_shown(response: Any, encodings: int) -> None:
    for _ in range(encodings):
        response = json.dumps(response)
    assert [message.text for message in read_response(response) if message.text] == [OK]


CALLS: dict[str, Any] = {
    "OTel": [{"role": "assistant", "parts": [{"type": "tool_call", "id": "1", "name": "f", "arguments": {}}]}],
    "OpenAI": {"choices": [{"message": {"content": None, "tool_calls": [{"id": "1", "function": {"name": "f"}}]}}]},
    "OpenAI responses": {"output": [{"type": "function_call", "name": "f", "arguments": "{}"}]},
    "Anthropic": {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]},
    "Gemini": {"candidates": [{"content": {"role": "model", "parts": [{"functionCall": {"name": "f"}}]}}]},
    "Bedrock": {"role": "assistant", "content": [{"toolUse": {"name": "f", "input": {}, "toolUseId": "1"}}]},
    "LangChain": {"type": "ai", "content": "", "tool_calls": [{"name": "f", "args": {}, "id": "1"}]},
    "OpenInference": [{"message": {"role": "assistant", "tool_calls": [{"tool_call": {"function": {"name": "f"}}}]}}],
    "Koog": [{"role": "assistant", "content": '[{"function": {"name": "f"}, "id": "1", "type": "function"}]'}],
    "Monocle": {"assistant": "{'toolUseId': 't1', 'name': 'f', 'input': {}}"},
}


@pytest.mark.parametrize("response", CALLS.values(), ids=CALLS.keys())
def test_a_call_of_a_tool_is_no_text(response: Any) -> None:
    messages = read_response(response)
    assert not any(message.text for message in messages)
    assert any(message.tool_call for message in messages)


RESULTS: dict[str, Any] = {
    "OTel, by its schema": {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": "rainy"}]},
    "OTel, by its examples": {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "result": "rainy"}]},
    "OpenAI": {"role": "tool", "tool_call_id": "1", "content": "rainy"},
    "Anthropic": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "rainy"}]},
    "Anthropic blocks": {
        "role": "user",
        "content": [{"type": "tool_result", "content": [{"type": "text", "text": "rainy"}]}],
    },
    "Bedrock": {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": [{"text": "rainy"}]}}]},
    "Gemini": {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": "rainy"}}}]},
    "LangChain": {"type": "tool", "data": {"content": "rainy", "tool_call_id": "1"}},
    "Vercel": {"role": "tool", "content": [{"type": "tool-result", "output": {"type": "text", "value": "rainy"}}]},
    "MCP": {
        "role": "tool",
        "parts": [
            {
                "type": "tool_call_response",
                "response": {"content": [{"type": "text", "text": "rainy"}], "isError": False},
            }
        ],
    },
}


@pytest.mark.parametrize("message", RESULTS.values(), ids=RESULTS.keys())
def test_what_a_tool_returned_is_a_turn_of_the_tool(message: Any) -> None:
    assert list(input_turns(read_request([message]))) == [("tool", "rainy")]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("human", "user"),
        ("ai", "assistant"),
        ("model", "assistant"),
        ("developer", "system"),
        ("function", "tool"),
        ("Bot", "assistant"),
    ],
)
def test_roles_have_one_name_each(name: str, role: str) -> None:
    assert [turn.role for turn in input_turns(read_request([{"role": name, "content": HI}]))] == [role]


@pytest.mark.parametrize(
    "request_",
    [
        {"system": "Be brief.", "messages": [{"role": "user", "content": HI}]},
        {"system": [{"type": "text", "text": "Be brief."}], "messages": [{"role": "user", "content": HI}]},
        {"instructions": "Be brief.", "input": HI},
        {"config": {"system_instruction": "Be brief."}, "contents": [{"role": "user", "parts": [{"text": HI}]}]},
        {"system_instruction": {"parts": [{"text": "Be brief."}]}, "contents": HI},
    ],
)
def test_system_instructions_come_first(request_: Any) -> None:
    assert list(input_turns(read_request(request_))) == [("system", "Be brief."), *USER]


def test_text_parts_are_joined_and_reasoning_is_left_out() -> None:
    parts = [{"type": "reasoning", "content": "hm"}, {"type": "text", "content": "a"}, {"type": "text", "content": "b"}]
    assert [m.text for m in read_response([{"role": "assistant", "parts": parts}])] == ["a\nb"]


@pytest.mark.parametrize(
    ("part", "medium"),
    [
        ({"type": "image_url", "image_url": {"url": "data:"}}, "image"),
        ({"type": "blob", "modality": "audio", "content": "AAAA"}, "audio"),
        ({"type": "file", "modality": "video", "file_id": "1"}, "video"),
        ({"type": "uri", "uri": "https://x", "mime_type": "image/png"}, "image"),
        ({"image": {"format": "png", "source": {"bytes": "x"}}}, "image"),
        ({"inline_data": {"mime_type": "application/pdf"}}, "file"),
        ({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "x"}}, "file"),
    ],
)
def test_media_are_named(part: Any, medium: str) -> None:
    (message,) = read_request([{"role": "user", "content": [part, {"type": "text", "text": HI}]}])
    assert (message.text, message.media) == (HI, (medium,))


@pytest.mark.parametrize(
    "part",
    [
        {
            "type": "document",
            "title": "kb",
            "source": {"type": "text", "media_type": "text/plain", "data": "The text."},
        },
        {
            "type": "search_result",
            "title": "kb",
            "source": "https://x",
            "content": [{"type": "text", "text": "The text."}],
        },
        {
            "message_content": {
                "type": "document",
                "text": '{"source": {"type": "text", "data": "The text."}, "title": "kb"}',
            }
        },
    ],
)
def test_an_attached_text_is_a_document_and_no_part_of_the_question(part: Any) -> None:
    (message,) = read_request([{"role": "user", "content": [part, {"type": "text", "text": HI}]}])
    assert message.text == HI
    assert [(d.id, d.text) for d in message.documents] == [("kb", "The text.")]


def test_an_attached_plain_text_blob_is_decoded() -> None:
    encoded = base64.b64encode(b"The text.").decode()
    part = {"type": "blob", "mime_type": "text/plain", "modality": "document", "content": encoded}
    (message,) = read_request([{"role": "user", "parts": [part, {"type": "text", "content": HI}]}])
    assert [d.text for d in message.documents] == ["The text."]


def test_an_answer_that_is_json_stays_text() -> None:
    answer = '{"text": "not a part", "score": 1}'
    assert [m.text for m in read_response([{"role": "assistant", "content": answer}])] == [answer]


def test_a_message_of_more_parts_than_are_read_counts_as_cut() -> None:
    parts = [{"type": "text", "content": OK}] * 10_001
    (message,) = read_response([{"role": "assistant", "parts": parts}])
    assert message.truncated
    (whole,) = read_response([{"role": "assistant", "parts": parts[1:]}])
    assert not whole.truncated


def test_an_answer_of_more_messages_than_are_read_counts_as_cut() -> None:
    messages = [{"role": "assistant", "content": OK}] * 2_001
    assert all(message.truncated for message in read_response(messages))
    assert not any(message.truncated for message in read_response(messages[1:]))
