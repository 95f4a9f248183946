"""Reprs of Python objects where JSON was meant."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.conventions.messages import read_messages
from otel_agent_eval.conventions.reprs import final_step, read_objects, read_repr
from otel_agent_eval.conventions.values import decode

TOLD = "It's 330 metres.\nTall."


@pytest.mark.parametrize(
    ("written", "role", "tool_call"),
    [
        (
            f"ChatMessage(_role=<ChatRole.USER: 'user'>, _content=[TextContent(text={TOLD!r})], _meta={{}})",
            "user",
            False,
        ),
        (
            (
                f"ChatMessage(_role=<ChatRole.TOOL: 'tool'>, _content=[ToolCallResult(result={TOLD!r}, "
                "origin=ToolCall(tool_name='f', arguments={'a': 1}, id=None), error=False)], _name=None)"
            ),
            "tool",
            False,
        ),
        (f"content={TOLD!r} additional_kwargs={{}} response_metadata={{}} id='48e8'", "user", False),
        (f"content={TOLD!r} name='f' tool_call_id='call_1'", "tool", False),
        (f"content={TOLD!r} additional_kwargs={{}} response_metadata={{'finish_reason': 'stop'}}", "assistant", False),
        (
            f"content=[{{'type': 'text', 'text': {TOLD!r}}}] additional_kwargs={{}} usage_metadata={{'a': 1}}",
            "assistant",
            False,
        ),
        (f"content={TOLD!r} additional_kwargs={{}} id='run--1' tool_calls=[{{'name': 'f'}}]", "assistant", True),
    ],
)
def test_a_message_is_read(written: str, role: str, tool_call: bool) -> None:
    (message,) = read_messages([written], "user")
    assert (message.role, message.text, message.tool_call) == (role, TOLD, tool_call)


def test_a_call_of_a_tool_has_no_text() -> None:
    written = "ChatMessage(_role=<ChatRole.ASSISTANT: 'assistant'>, _content=[ToolCall(tool_name='f', arguments={})])"
    (message,) = read_messages(written, "user")
    assert (message.text, message.tool_call) == ("", True)


@pytest.mark.parametrize(
    ("written", "record"),
    [
        (f"page_content='{TOLD}' metadata={{'source': 'a.md'}}", {"page_content": TOLD}),
        (f"page_content='{TOLD}'", {"page_content": TOLD}),
        (
            f"Document(id='7', metadata={{}}, page_content={TOLD!r})",
            {"type": "document", "id": "7", "metadata": {}, "page_content": TOLD},
        ),
        (f"Document(id=7f, content: '{TOLD}', score: 0.5)", {"id": "7f", "content": TOLD}),
        ("Document(id=7f, content: 'It is 330 metres and mo...')", {"id": "7f", "content": ""}),
    ],
)
def test_a_document_is_read_as_far_as_it_was_written(written: str, record: Any) -> None:
    assert decode(written).value == record


@pytest.mark.parametrize(
    "plain",
    [
        "content is king",
        "content='unfinished",
        "ChatMessage(_role=",
        "Document(1)",
        "Foo(a=1)",
        "page_content=3",
        "Paris.",
        "ChatMessage(_role=__import__('os'))(",
    ],
)
def test_other_texts_stay_what_they_are(plain: str) -> None:
    assert decode(plain).value == plain


def test_names_and_calls_in_a_repr_are_never_run() -> None:
    found = read_repr("ChatMessage(_role=open('/'), _name=a.b)")
    assert found == {"type": "chat_message", "_role": {"type": "open"}, "_name": None}


def test_objects_in_a_list_are_read() -> None:
    written = "[{'role': 'user', 'content': 'hi'}, ChatCompletionMessage(content=None, role='assistant')]"
    assert read_objects(written) == [
        {"role": "user", "content": "hi"},
        {"type": "chat_completion_message", "content": None, "role": "assistant"},
    ]


def test_the_last_step_of_a_streamed_run_gives_its_answer() -> None:
    events = "ChatMessageStreamDelta(content='It ', tool_calls=None)ActionOutput(output=None, is_final_answer=False)"
    assert final_step(f"{events}FinalAnswerStep(output={TOLD!r})") == TOLD
    assert final_step(events) is None


@given(st.sampled_from(["ChatMessage(_role=", "content=", "page_content='", "Document(id=", "[{'role'"]), st.text())
def test_no_text_makes_it_raise(opening: str, rest: str) -> None:
    for written in (opening + rest, opening + rest + ")", opening + rest + "' metadata={}"):
        decode(written)
        read_objects(written)
        final_step(written)
