"""What frameworks write in ways of their own, whichever convention carries it."""

import json
from typing import Any

import pytest
from convention_spans import make_span

from otel_agent_eval.conventions import read
from otel_agent_eval.conventions.extract import Extract, Role

Q, A = "How tall is the tower?", "It is 330 metres tall."
D = "The tower was measured in 2022: 330 metres."
LLM = {"openinference.span.kind": "LLM"}
CHAIN = {"openinference.span.kind": "CHAIN"}
INSTRUCTION = "Respond with the corresponding output fields, starting with the field `[[ ## answer ## ]]`."


def chat(*messages: tuple[str, str], answer: str) -> Extract:
    attributes: dict[str, Any] = {**LLM, "llm.output_messages.0.message.content": answer}
    for at, (role, content) in enumerate(messages):
        attributes[f"llm.input_messages.{at}.message.role"] = role
        attributes[f"llm.input_messages.{at}.message.content"] = content
    return read(make_span(attributes))


def field(name: str, value: str) -> str:
    return f"[[ ## {name} ## ]]\n{value}\n\n"


def test_dspys_fields_are_taken_out_of_their_marks() -> None:
    system = (
        f"Your input fields are:\n1. `context` (str):\n{field('context', '{context}')}your objective is:\nBe brief."
    )
    asked = field("context", f"[1] «{D}»\n[2] «Towers sway.\n\nA little.»") + field("question", Q) + INSTRUCTION
    found = chat(
        ("system", system),
        ("user", asked),
        answer=field("reasoning", "Measured.") + field("answer", A) + field("completed", ""),
    )
    assert (found.question, found.answers) == (Q, (A,))
    assert [document.text for document in found.documents] == [D, "Towers sway.\n\nA little."]
    assert [turn.text for turn in found.turns] == ["Be brief.", Q]


def test_a_step_of_dspys_react_calls_a_tool() -> None:
    found = chat(
        ("user", field("question", Q) + field("trajectory", "") + INSTRUCTION),
        answer=field("next_thought", "Look it up.") + field("next_tool_name", "search") + field("next_tool_args", "{}"),
    )
    assert (found.answers, found.tool_call, found.question) == ((), True, Q)


def test_earlier_turns_of_dspy_have_no_marks() -> None:
    found = chat(
        ("user", field("question", "Where?") + INSTRUCTION),
        ("assistant", field("answer", "In Paris.")),
        ("user", field("question", Q) + INSTRUCTION),
        answer=field("answer", A),
    )
    assert [turn.text for turn in found.turns] == ["Where?", "In Paris.", Q]


def test_an_answer_beside_its_reasoning_is_found() -> None:
    found = read(make_span({**CHAIN, "output.value": json.dumps({"reasoning": "Measured.", "answer": A})}))
    assert found.answers == (A,)


def test_a_tools_result_that_only_the_plain_input_has_is_read_from_there() -> None:
    messages = [
        f"ChatMessage(_role=<ChatRole.USER: 'user'>, _content=[TextContent(text={Q!r})])",
        f"ChatMessage(_role=<ChatRole.TOOL: 'tool'>, _content=[ToolCallResult(result={D!r}, error=False)])",
    ]
    found = read(
        make_span(
            {
                **LLM,
                "input.value": json.dumps({"messages": messages}),
                "llm.input_messages.0.message.role": "user",
                "llm.input_messages.0.message.content": Q,
                "llm.input_messages.1.message.role": "tool",
                "llm.output_messages.0.message.content": A,
            }
        )
    )
    assert [(turn.role, turn.text) for turn in found.turns] == [("user", Q), ("tool", D)]


def test_a_streamed_response_in_a_list_is_read_although_it_names_the_tools_offered() -> None:
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": A}]}
    response = {
        "object": "response",
        "output": [message],
        "tools": [{"type": "function", "name": "f"}],
        "reasoning": {},
    }
    assert read(make_span({**LLM, "output.value": json.dumps([response])})).answers == (A,)


def test_crewais_question_is_its_last_task() -> None:
    tasks = [{"description": "Where is it?", "raw": "In Paris."}, {"description": Q, "raw": A}]
    crew = read(make_span({**CHAIN, "output.value": json.dumps({"raw": A, "tasks_output": tasks})}))
    agent = read(make_span({"openinference.span.kind": "AGENT", "output.value": json.dumps(tasks[-1])}))
    assert (crew.question, agent.question) == (Q, Q)


def test_crewai_by_openllmetry_names_task_and_result() -> None:
    assert read(make_span({"gen_ai.operation.name": "invoke_agent", "crewai.crew.result": A})).answers == (A,)
    task = make_span(
        {"gen_ai.operation.name": "invoke_agent", "crewai.task.description": Q, "traceloop.entity.output": A}
    )
    assert (read(task).question, read(task).answers) == (Q, (A,))


def test_a_streamed_run_of_smolagents_ends_in_its_answer() -> None:
    events = f"ChatMessageStreamDelta(content='It ')FinalAnswerStep(output={A!r})"
    span = make_span(
        {"openinference.span.kind": "AGENT", "output.value": events}, scope="openinference.instrumentation.smolagents"
    )
    assert read(span).answers == (A,)


def test_a_chain_named_like_a_retriever_that_answers_is_none() -> None:
    output = {"input": Q, "context": [{"page_content": D, "metadata": {}}], "answer": A}
    chain = read(make_span({**CHAIN, "output.value": json.dumps(output)}, name="retrieval_chain"))
    assert (chain.role, chain.answers) == (Role.CHAIN, (A,))
    del output["answer"]
    step = read(make_span({**CHAIN, "output.value": json.dumps(output["context"])}, name="retrieve_documents"))
    assert step.role is Role.RETRIEVER


def test_messages_that_end_with_the_user_hold_no_answer() -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": A}, {"role": "user", "content": Q}]
    assert read(make_span({**CHAIN, "output.value": json.dumps({"messages": messages})})).answers == ()


@pytest.mark.parametrize("unfinished", ["", None])
def test_pieces_of_which_only_the_last_one_is_finished_are_one_answer(unfinished: str | None) -> None:
    pieces = [("It is ", unfinished), ("330 metres ", unfinished), ("tall.", "stop")]
    output = [
        {"role": "assistant", "parts": [{"type": "text", "content": text}], "finish_reason": reason}
        for text, reason in pieces
    ]
    found = read(make_span({"gen_ai.operation.name": "chat", "gen_ai.output.messages": json.dumps(output)}))
    assert found.answers == (A,)


def test_a_prompt_with_a_role_before_each_message_is_read_as_messages() -> None:
    prompt = f"system: Be brief.\nuser: Hello.\nGood day.\nassistant: Hi.\nuser: {Q}"
    found = read(make_span({"gen_ai.operation.name": "chat", "gen_ai.prompt": prompt, "gen_ai.completion": A}))
    assert [(turn.role, turn.text) for turn in found.turns] == [
        ("system", "Be brief."),
        ("user", "Hello.\nGood day."),
        ("assistant", "Hi."),
        ("user", Q),
    ]


@pytest.mark.parametrize(
    ("reasons", "called"), [(["tool_calls"], True), ('["tool_use"]', True), (["stop"], False), ([], False)]
)
def test_a_model_that_stopped_for_tools_called_one(reasons: Any, called: bool) -> None:
    span = make_span({"gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": reasons})
    assert read(span).tool_call is called


@pytest.mark.parametrize(
    ("scope", "name", "attributes", "role"),
    [
        (
            "opentelemetry.instrumentation.llamaindex",
            "QueryEngineTool.task",
            {"traceloop.span.kind": "task"},
            Role.TOOL,
        ),
        (
            "opentelemetry.instrumentation.llamaindex",
            "TokenTextSplitter.task",
            {"traceloop.span.kind": "task"},
            Role.PROMPT,
        ),
        ("opentelemetry.instrumentation.llamaindex", "VectorIndexRetriever.task", {}, Role.RETRIEVER),
        ("opentelemetry.instrumentation.llamaindex", "Refine.task", {"traceloop.span.kind": "task"}, Role.CHAIN),
        ("semantic_kernel.functions", "execute_tool f", {"gen_ai.operation.name": "execute_tool"}, Role.CHAIN),
        (
            "semantic_kernel.functions",
            "execute_tool f",
            {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.id": "1"},
            Role.TOOL,
        ),
        ("openinference.instrumentation.haystack", "PromptBuilder.run", LLM, Role.PROMPT),
        ("mlflow", "Predict.forward", {"mlflow.spanType": '"LLM"'}, Role.CHAIN),
    ],
)
def test_what_a_class_does_is_told_by_its_name(scope: str, name: str, attributes: dict[str, str], role: Role) -> None:
    assert read(make_span({"input.value": Q, **attributes}, name=name, scope=scope)).role is role


def test_langwatchs_contexts_are_documents_with_their_ids() -> None:
    contexts = json.dumps([{"document_id": "d1", "content": D}])
    found = read(make_span({"langwatch.span.type": "rag", "langwatch.rag_contexts": contexts, "langwatch.output": A}))
    assert [(document.id, document.text) for document in found.documents] == [("d1", D)]
