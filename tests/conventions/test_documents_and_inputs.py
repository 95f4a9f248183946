"""Retrieved documents, and what chains are asked and answer."""

import json
from typing import Any

import pytest

from otel_agent_eval.conventions.documents import documents_in, has_documents, tool_documents
from otel_agent_eval.conventions.inputs import answer_in, question_in, question_variable

LC = {"lc": 1, "type": "constructor", "id": ["langchain", "Document"], "kwargs": {"page_content": "A.", "id": "d1"}}

RETRIEVED: dict[str, Any] = {
    "LangChain": [{"page_content": "A.", "id": "d1", "metadata": {}, "type": "Document"}],
    "LangChain, serialised": [LC],
    "LangChain with scores": [[{"page_content": "A.", "id": "d1"}, 0.5]],
    "OTel": [{"id": "d1", "content": "A.", "score": 0.5}],
    "OpenInference": [{"document": {"content": "A.", "id": "d1", "score": 0.5}}],
    "OpenInference as JSON": [{"document.content": "A.", "document.id": "d1"}],
    "LlamaIndex": [{"node": {"id_": "d1", "text": "A."}, "score": 0.5}],
    "LlamaIndex by OpenLLMetry": {"nodes": [json.dumps({"node": {"id_": "d1", "text": "A."}, "score": 0.5})]},
    "Chroma": {"ids": [["d1"]], "documents": [["A."]], "distances": [[0.5]]},
    "Pinecone": {"matches": [{"id": "d1", "score": 0.5, "metadata": {"text": "A."}}]},
    "Qdrant": {"points": [{"id": "d1", "payload": {"text": "A."}}]},
    "Elasticsearch": {"hits": {"hits": [{"_id": "d1", "_source": {"content": "A."}}]}},
    "Bedrock": {"retrievalResults": [{"content": {"text": "A."}, "document_id": "d1"}]},
    "Azure": {"value": [{"id": "d1", "chunk": "A.", "@search.score": 0.5}]},
    "Haystack": {"documents": [{"id": "d1", "content": "A.", "meta": {}}]},
    "one record": {"id": "d1", "snippet": "A."},
    "in outputs": {"outputs": {"documents": [{"id": "d1", "passage": "A."}]}},
}


@pytest.mark.parametrize("value", RETRIEVED.values(), ids=RETRIEVED.keys())
@pytest.mark.parametrize("encodings", [0, 1, 2])
def test_documents_are_found(value: Any, encodings: int) -> None:
    for _ in range(encodings):
        value = json.dumps(value)
    assert [(document.id, document.text) for document in documents_in(value)] == [("d1", "A.")]


@pytest.mark.parametrize(
    "record",
    [
        {"id": "1", "text": "A.", "score": 0.5},
        {"id": "1", "text": "A.", "relevance_score": "0.5"},
        {"node": {"text": "A."}, "score": 0.5},
        {"text": "A.", "metadata": {"score": 0.5}},
        {"document": {"content": "A.", "metadata": '{"score": 0.5}'}},
    ],
)
def test_the_retrievers_score_is_found(record: Any) -> None:
    assert [document.score for document in documents_in([record])] == [0.5]


def test_plain_texts_are_numbered() -> None:
    assert [(d.id, d.text) for d in documents_in(["A.", "B."])] == [("0", "A."), ("1", "B.")]


def test_records_without_text_keep_their_ids() -> None:
    assert [(d.id, d.text, d.score) for d in documents_in([{"id": "d1", "score": None}])] == [("d1", "", None)]


@pytest.mark.parametrize(
    "value", [None, "", [], {}, {"documents": []}, {"count": 2}, "[]", ["<NodeWithScore(node=1)>"]]
)
def test_nothing_retrieved_gives_no_documents(value: Any) -> None:
    assert documents_in(value) == []


@pytest.mark.parametrize("value", [[{"role": "user", "content": "hi"}], ["yes", "no"], {"answer": "A."}, "A.", [1]])
def test_messages_labels_and_answers_do_not_look_retrieved(value: Any) -> None:
    assert not has_documents(value)


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("18C and clear", ["18C and clear"]),
        ('{"temp_c": 18}', ['{"temp_c": 18}']),
        ({"result": "18C"}, ["18C"]),
        ({"output": {"lc": 1, "id": ["x", "ToolMessage"], "kwargs": {"content": "18C"}}, "kwargs": {}}, ["18C"]),
        ({"content": [{"type": "text", "text": "18C"}], "isError": False}, ["18C"]),
        ('["The first text found.", "The second one."]', ["The first text found.", "The second one."]),
        ([{"page_content": "A."}, {"page_content": "B."}], ["A.", "B."]),
        ({"results": [{"title": "t", "content": "A.", "url": "u"}], "query": "q"}, ["A."]),
        ({"status": "ok", "id": 3, "queue": "a"}, ['{"status": "ok", "id": 3, "queue": "a"}']),
        (None, []),
    ],
)
def test_what_a_tool_returned_is_kept_as_text(value: Any, texts: list[str]) -> None:
    assert [document.text for document in tool_documents(value)] == texts


Q = "How tall is it?"


@pytest.mark.parametrize(
    "value",
    [
        Q,
        {"question": Q, "context": "The text."},
        {"input": Q},
        {"inputs": {"query": Q}},
        {"inputs": Q, "tags": [], "metadata": {"session_id": "1"}, "kwargs": {"name": "chain"}},
        {"args": [Q, [{"text": "A."}]], "kwargs": {}},
        {"kwargs": {"user_query": Q}, "args": []},
        {
            "messages": [
                {"role": "user", "content": "Hello"},
                {"role": "assistant", "content": "Hi"},
                {"role": "user", "content": Q},
            ]
        },
        {"messages": [["user", Q]]},
        [{"role": "user", "content": Q}],
        {"new_message": {"role": "user", "parts": [{"text": Q}]}},
        {"q": Q},
    ],
)
def test_the_question_is_found_in_the_input_of_a_chain(value: Any) -> None:
    assert question_in(value) == Q
    assert question_in(json.dumps(value)) == Q


@pytest.mark.parametrize(
    "value",
    [[{"page_content": "A.", "type": "Document"}], {"name": "tools"}, {"documents": []}, ["a", "b"], {}, None, 3],
)
def test_an_input_without_a_question_has_none(value: Any) -> None:
    assert question_in(value) == ""


A = "It is 330 metres tall."


@pytest.mark.parametrize(
    "value",
    [
        A,
        {"answer": A, "context": "The text."},
        {"outputs": {"output": A}},
        {"result": A, "source_documents": []},
        {"messages": [{"role": "user", "content": Q}, {"type": "ai", "content": A}]},
        {"content": A, "type": "ai", "additional_kwargs": {}},
        [{"graph": None, "update": {"messages": [{"type": "ai", "data": {"content": A}}]}}],
        {"replies": [{"role": "assistant", "content": [{"text": A}]}]},
        {"replies": [A], "meta": [{"model": "gpt-4o"}]},
        {"llm": {"replies": [A]}, "retriever": {"documents": [{"content": "The text."}]}},
        {"agent": {"messages": [{"role": "user", "content": Q}, {"role": "assistant", "content": A}], "step_count": 2}},
        {"content": {"role": "model", "parts": [{"text": A}]}},
    ],
)
def test_the_answer_is_found_in_the_output_of_a_chain(value: Any) -> None:
    assert answer_in(value) == A
    assert answer_in(json.dumps(value)) == A


@pytest.mark.parametrize(
    "value",
    [
        {"context": "The text.", "question": Q},
        {"documents": [{"page_content": "A."}], "count": 1},
        {"llm 1": {"replies": [A]}, "llm 2": {"replies": ["It is not."]}},
        {"error": {"message": "Rate limit reached."}},
        {"a": 1},
        None,
        [],
    ],
)
def test_an_output_without_an_answer_has_none(value: Any) -> None:
    assert answer_in(value) == ""


def test_the_question_is_known_among_the_variables_of_a_prompt() -> None:
    assert question_variable({"context": "The text.", "query_str": Q}) == Q
    assert question_variable({"context": "The text."}) == ""
