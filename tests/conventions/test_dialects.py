"""Each convention by a small span of its own: after its documents, or as its instrumentations send it."""

import json
from typing import Any, NamedTuple

import pytest
from convention_spans import make_span

from otel_agent_eval.conventions import read
from otel_agent_eval.conventions.extract import Role
from otel_agent_eval.conventions.span import EventView, SpanView

Q, A, D = "How tall is it?", "It is 330 metres tall.", "The tower is 330 metres tall."


def human(text: str) -> dict[str, Any]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "HumanMessage"], "kwargs": {"content": text}}


class Case(NamedTuple):
    """A span and what is to be read from it."""

    span: SpanView
    convention: str
    role: Role = Role.LLM
    question: str = Q
    answer: str = A
    documents: tuple[str, ...] = ()


CASES: dict[str, Case] = {
    "text completion by OpenLLMetry": Case(
        make_span({"llm.request.type": "completion", "gen_ai.prompt.0.content": Q, "gen_ai.completion.0.content": A}),
        "openllmetry",
    ),
    "rerank by OpenLLMetry": Case(
        make_span(
            {"llm.request.type": "rerank", "traceloop.entity.output": json.dumps([{"text": D, "index": 0, "id": "a"}])}
        ),
        "openllmetry",
        Role.RERANKER,
        "",
        "",
        (D,),
    ),
    "retriever of LlamaIndex by OpenLLMetry": Case(
        make_span(
            {
                "traceloop.span.kind": "task",
                "traceloop.entity.input": json.dumps({"args": [Q], "kwargs": {}}),
                "traceloop.entity.output": json.dumps([json.dumps({"node": {"text": D, "id_": "1"}, "score": 0.9})]),
            },
            name="BaseRetriever.retrieve.task",
        ),
        "openllmetry",
        Role.RETRIEVER,
        Q,
        "",
        (D,),
    ),
    "vector store by OpenLLMetry": Case(
        make_span(
            {"db.system": "chroma"},
            [
                EventView(
                    "db.query.result",
                    {"db.query.result.id": "1", "db.query.result.document": D, "db.query.result.score": 0.1},
                )
            ],
        ),
        "openllmetry",
        Role.RETRIEVER,
        "",
        "",
        (D,),
    ),
    "model call by LangSmith": Case(
        make_span(
            {
                "langsmith.span.kind": "llm",
                "gen_ai.operation.name": "chat",
                "gen_ai.prompt": json.dumps({"messages": [[human(Q)]]}),
                "gen_ai.completion": json.dumps(
                    {"generations": [[{"text": A, "generation_info": {}}]], "type": "LLMResult"}
                ),
            }
        ),
        "langsmith",
    ),
    "retriever by LangSmith, which calls its operation embeddings": Case(
        make_span(
            {
                "langsmith.span.kind": "retriever",
                "gen_ai.operation.name": "embeddings",
                "gen_ai.prompt": json.dumps({"query": Q}),
                "gen_ai.completion": json.dumps(
                    {"documents": [{"page_content": D, "metadata": {}, "type": "Document"}]}
                ),
            }
        ),
        "langsmith",
        Role.RETRIEVER,
        Q,
        "",
        (D,),
    ),
    "chain by LangSmith": Case(
        make_span(
            {
                "langsmith.span.kind": "chain",
                "gen_ai.prompt": json.dumps({"input": Q}),
                "gen_ai.completion": json.dumps({"output": A}),
            }
        ),
        "langsmith",
        Role.CHAIN,
    ),
    "prompts as one JSON text before 1.28": Case(
        make_span(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.prompt": json.dumps([{"role": "user", "content": Q}]),
                "gen_ai.completion": json.dumps([{"role": "assistant", "content": A}]),
            }
        ),
        "otel_genai",
    ),
    "generator of Haystack": Case(
        make_span(
            {
                "haystack.component.type": "OpenAIChatGenerator",
                "haystack.component.input": json.dumps({"messages": [{"role": "user", "content": [{"text": Q}]}]}),
                "haystack.component.output": json.dumps({"replies": [{"role": "assistant", "content": [{"text": A}]}]}),
            }
        ),
        "haystack",
    ),
    "retriever of Haystack": Case(
        make_span(
            {
                "haystack.component.type": "InMemoryBM25Retriever",
                "haystack.component.input": json.dumps({"query": Q, "top_k": 3}),
                "haystack.component.output": json.dumps({"documents": [{"id": "1", "content": D, "score": 0.9}]}),
            }
        ),
        "haystack",
        Role.RETRIEVER,
        Q,
        "",
        (D,),
    ),
    "agent of Haystack": Case(
        make_span(
            {
                "haystack.agent.input": json.dumps({"messages": [{"role": "user", "content": [{"text": Q}]}]}),
                "haystack.agent.output": json.dumps({"last_message": {"role": "assistant", "content": [{"text": A}]}}),
            }
        ),
        "haystack",
        Role.AGENT,
    ),
    "older names of TruLens": Case(
        make_span(
            {
                "trulens.span_type": "retrieval",
                "trulens.sem.retrieval.query_text": Q,
                "trulens.sem.retrieval.retrieved_contexts": [D],
            }
        ),
        "trulens",
        Role.RETRIEVER,
        Q,
        "",
        (D,),
    ),
    "workflow by OpenLIT": Case(
        make_span(
            {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.input": Q, "gen_ai.workflow.output": A}
        ),
        "openlit",
        Role.CHAIN,
    ),
    "tool by MCP": Case(
        make_span(
            {
                "gen_ai.operation.name": "execute_tool",
                "mcp.response.value": json.dumps({"content": [{"type": "text", "text": D}], "isError": False}),
            }
        ),
        "mcp",
        Role.TOOL,
        "",
        "",
        (D,),
    ),
    "turn of LiveKit": Case(
        make_span({"lk.user_transcript": Q, "lk.response.text": A}, name="agent_turn"), "livekit", Role.AGENT
    ),
    "version 3 of Vercel's SDK": Case(
        make_span(
            {
                "ai.operationId": "ai.generateText.doGenerate",
                "ai.prompt.messages": json.dumps([{"role": "user", "content": [{"type": "text", "text": Q}]}]),
                "ai.result.text": A,
            },
            scope="ai",
        ),
        "vercel_ai",
    ),
    "wrapper of Vercel's SDK": Case(
        make_span(
            {
                "ai.operationId": "ai.streamText",
                "ai.prompt": json.dumps({"system": "Be brief.", "prompt": Q}),
                "ai.response.text": A,
            }
        ),
        "vercel_ai",
        Role.CHAIN,
    ),
    "tool of Vercel's SDK": Case(
        make_span(
            {"ai.operationId": "ai.toolCall", "ai.toolCall.name": "search", "ai.toolCall.result": json.dumps([D])}
        ),
        "vercel_ai",
        Role.TOOL,
        "",
        "",
        (D,),
    ),
    "request and response data by Logfire": Case(
        make_span(
            {
                "logfire.msg": "Chat Completion",
                "request_data": json.dumps({"messages": [{"role": "user", "content": Q}], "model": "m"}),
                "response_data": json.dumps({"message": {"role": "assistant", "content": A}, "usage": None}),
            },
            scope="logfire.openai",
        ),
        "pydantic_ai",
    ),
    "stream by Logfire": Case(
        make_span(
            {
                "logfire.msg": "streaming response",
                "request_data": json.dumps({"messages": [{"role": "user", "content": Q}]}),
                "response_data": json.dumps({"combined_chunk_content": A, "chunk_count": 2}),
            },
            scope="logfire.openai",
        ),
        "pydantic_ai",
    ),
    "records of a memory": Case(
        make_span(
            {
                "gen_ai.operation.name": "search_memory",
                "gen_ai.memory.query.text": Q,
                "gen_ai.memory.records": [{"id": "m", "content": {"text": D}, "score": 0.3}],
            }
        ),
        "otel_genai",
        Role.MEMORY,
        Q,
        "",
        (D,),
    ),
    "retrieval by LoongSuite": Case(
        make_span(
            {
                "gen_ai.operation.name": "retrieval",
                "gen_ai.retrieval.query.text": Q,
                "gen_ai.retrieval.documents": json.dumps([{"id": "1", "content": D, "metadata": {}}]),
            }
        ),
        "otel_genai",
        Role.RETRIEVER,
        Q,
        "",
        (D,),
    ),
    "vector store by Spring AI": Case(
        make_span({"db.vector.query.content": Q, "spring.ai.vectorstore.query.response.documents": [D]}),
        "spring_ai",
        Role.RETRIEVER,
        Q,
        "",
        (D,),
    ),
    "LangWatch": Case(
        make_span(
            {
                "langwatch.span.type": "llm",
                "langwatch.input": json.dumps({"type": "chat_messages", "value": [{"role": "user", "content": Q}]}),
                "langwatch.output": json.dumps({"type": "text", "value": A}),
            }
        ),
        "langwatch",
    ),
    "Laminar": Case(
        make_span(
            {
                "lmnr.span.type": "LLM",
                "lmnr.span.input": json.dumps([{"role": "user", "content": Q}]),
                "lmnr.span.output": json.dumps([{"role": "assistant", "content": A}]),
            }
        ),
        "laminar",
    ),
    "Genkit": Case(
        make_span(
            {
                "genkit:metadata:subtype": "model",
                "genkit:input": json.dumps({"messages": [{"role": "user", "content": [{"text": Q}]}]}),
                "genkit:output": json.dumps(
                    {"message": {"role": "model", "content": [{"text": A}]}, "finishReason": "stop"}
                ),
            }
        ),
        "genkit",
    ),
    "raw request by LiteLLM": Case(
        make_span(
            {
                "llm.openai.messages": str([{"role": "user", "content": Q}]),
                "llm.openai.choices": str([{"index": 0, "message": {"content": A, "tool_calls": None}}]),
            }
        ),
        "litellm",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_span_is_read(case: Case) -> None:
    found = read(case.span)
    asked = found.question or next((turn.text for turn in reversed(found.turns) if turn.role == "user"), "")
    assert (found.convention, found.role, asked) == (case.convention, case.role, case.question)
    assert found.answers == ((case.answer,) if case.answer else ())
    assert tuple(document.text for document in found.documents) == case.documents
    assert found.output_captured
    assert found.keys
    assert not found.truncated


@pytest.mark.parametrize("name", ["gen_ai.user.message", "gen_ai.choice"])
@pytest.mark.parametrize("carrier", ["span event", "log record", "azure"])
def test_messages_in_events_are_read_from_bodies_and_attributes(name: str, carrier: str) -> None:
    fields: dict[str, Any] = (
        {"content": Q} if name == "gen_ai.user.message" else {"index": 0, "message": {"content": A}}
    )
    events = {
        "span event": EventView(name, {key: json.dumps(v) if isinstance(v, dict) else v for key, v in fields.items()}),
        "log record": EventView(name, {"gen_ai.system": "openai"}, fields),
        "azure": EventView(name, {"gen_ai.system": "az.ai.inference", "gen_ai.event.content": json.dumps(fields)}),
    }
    found = read(make_span({"gen_ai.operation.name": "chat"}, [events[carrier]]))
    assert found.convention == "otel_genai_events"
    assert found.keys == (name,)
    if name == "gen_ai.choice":
        assert found.answers == (A,)
    else:
        assert found.turns == (("user", Q),)


def test_choices_come_in_the_order_of_their_index() -> None:
    events = [
        EventView("gen_ai.choice", {}, {"index": 1, "message": {"content": "second"}}),
        EventView("gen_ai.choice", {}, {"index": 0, "message": {"content": "first"}}),
    ]
    assert read(make_span({"gen_ai.operation.name": "chat"}, events)).answers == ("first", "second")


def test_a_choice_without_its_message_captured_nothing() -> None:
    events = [EventView("gen_ai.choice", {"gen_ai.system": "openai"}, {"index": 0, "finish_reason": "stop"})]
    found = read(make_span({"gen_ai.operation.name": "chat"}, events))
    assert not found.answers
    assert not found.output_captured


def test_a_tool_span_of_strands_holds_the_result_in_its_choice() -> None:
    events = [
        EventView("gen_ai.tool.message", {"role": "tool", "content": '{"city": "Paris"}', "id": "1"}),
        EventView("gen_ai.choice", {"message": '[{"text": "18C"}]', "id": "1"}),
    ]
    found = read(make_span({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"}, events))
    assert [document.text for document in found.documents] == ["18C"]
    assert (found.role, found.tool_name, found.answers) == (Role.TOOL, "weather", ())


def test_the_operation_details_may_stand_in_a_body() -> None:
    body = {
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": Q}]}],
        "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": A}]}],
    }
    name = "gen_ai.client.inference.operation.details"
    found = read(make_span({"gen_ai.operation.name": "chat"}, [EventView(name, {}, body)]))
    assert (found.turns, found.answers, found.keys) == ((("user", Q),), (A,), (name,))


def test_an_agents_output_that_is_its_whole_run_has_one_answer() -> None:
    messages = [
        {"role": "assistant", "parts": [{"type": "tool_call", "name": "f", "id": "1"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "1", "response": D}]},
        {"role": "assistant", "parts": [{"type": "text", "content": A}]},
    ]
    found = read(make_span({"gen_ai.operation.name": "invoke_agent", "gen_ai.output.messages": json.dumps(messages)}))
    assert found.answers == (A,)
    assert found.turns == (("tool", D),)


def test_pydantic_ais_tool_call_is_no_answer() -> None:
    listed = [
        {"content": Q, "role": "user", "gen_ai.message.index": 0, "event.name": "gen_ai.user.message"},
        {"index": 0, "message": {"role": "assistant", "tool_calls": [{"id": "1"}]}, "event.name": "gen_ai.choice"},
    ]
    found = read(make_span({"gen_ai.operation.name": "chat", "events": json.dumps(listed)}, scope="pydantic-ai"))
    assert (found.turns, found.answers, found.tool_call, found.keys) == ((("user", Q),), (), True, ("events",))


@pytest.mark.parametrize(
    ("attributes", "role"),
    [
        ({"openinference.span.kind": "GUARDRAIL", "output.value": A}, Role.GUARDRAIL),
        ({"openinference.span.kind": "EVALUATOR", "output.value": A}, Role.EVALUATOR),
        ({"gen_ai.operation.name": "evaluation", "gen_ai.output.messages": A}, Role.EVALUATOR),
        ({"langfuse.observation.type": "evaluator", "langfuse.observation.output": A}, Role.EVALUATOR),
        (
            {"langfuse.observation.type": "guardrail", "gen_ai.operation.name": "chat", "gen_ai.completion": A},
            Role.GUARDRAIL,
        ),
        ({"ai.observability.span_type": "eval", "ai.observability.record_root.output": A}, Role.EVALUATOR),
        ({"haystack.component.type": "FaithfulnessEvaluator", "haystack.component.output": A}, Role.EVALUATOR),
        ({"mlflow.spanType": '"EVALUATOR"', "mlflow.spanOutputs": A}, Role.EVALUATOR),
    ],
)
def test_what_evaluators_and_guardrails_say_is_left_alone(attributes: dict[str, Any], role: Role) -> None:
    found = read(make_span(attributes))
    assert (found.role, found.answers) == (role, ())


@pytest.mark.parametrize(
    ("attributes", "name", "role"),
    [
        ({"gen_ai.operation.name": "chat"}, "chat m", Role.LLM),
        ({"gen_ai.operation.name": "chat", "gen_ai.agent.name": "a"}, "invoke_agent a", Role.AGENT),
        ({"gen_ai.tool.name": "f"}, "tool.f", Role.TOOL),
        ({"mlflow.spanType": '"CHAT_MODEL"'}, "x", Role.LLM),
        ({"traceloop.span.kind": "workflow"}, "x", Role.CHAIN),
        ({"langfuse.observation.type": "span", "gen_ai.operation.name": "chat"}, "x", Role.LLM),
        ({"ai.operationId": "ai.embedMany.doEmbed"}, "x", Role.EMBEDDING),
        ({"span.type": "agentic.tool.invocation", "monocle_apptrace.version": "1"}, "x", Role.TOOL),
        ({"llm.request.type": 3, "gen_ai.system": "x"}, "x", Role.OTHER),
    ],
)
def test_the_role_is_read_in_each_conventions_words(attributes: dict[str, Any], name: str, role: Role) -> None:
    assert read(make_span(attributes, name=name)).role == role


def test_identity_is_read_whatever_the_convention() -> None:
    found = read(
        make_span(
            {
                "mlflow.spanType": '"CHAT_MODEL"',
                "mlflow.llm.model": '"m"',
                "mlflow.trace.session": '"s"',
                "agent_name": "a",
                "gen_ai.response.id": "r",
            }
        )
    )
    assert (found.model, found.conversation, found.agent, found.response_id) == ("m", "s", "a", "r")
