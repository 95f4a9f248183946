"""Conventions that write an input and an output under the same names for every kind of span."""

from typing import NamedTuple

from otel_agent_eval.conventions.draft import Draft
from otel_agent_eval.conventions.extract import Extract, Reader, Role
from otel_agent_eval.conventions.roles import role_of
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.conventions.values import is_absent


class Pair(NamedTuple):
    """A convention: the prefixes of its names, where it puts inputs and outputs, the role where the span says none."""

    convention: str
    marks: tuple[str, ...]
    given: tuple[str, ...]
    returned: tuple[str, ...]
    role: Role = Role.OTHER
    variables: str = ""  # what the names of values begin with that were filled into a prompt


PAIRS: tuple[Pair, ...] = (
    Pair(
        "langfuse",
        ("langfuse.observation.", "langfuse.trace."),
        ("langfuse.observation.input", "langfuse.trace.input"),
        ("langfuse.observation.output", "langfuse.trace.output"),
    ),
    Pair("mlflow", ("mlflow.",), ("mlflow.spanInputs",), ("mlflow.spanOutputs",)),
    Pair("langsmith", ("langsmith.",), ("gen_ai.prompt",), ("gen_ai.completion",)),
    Pair("otel_genai", ("gen_ai.prompt", "gen_ai.completion"), ("gen_ai.prompt",), ("gen_ai.completion",)),
    Pair(
        "haystack",
        ("haystack.",),
        ("haystack.component.input", "haystack.pipeline.input_data", "haystack.agent.input", "haystack.tool.input"),
        (
            *("haystack.component.output", "haystack.pipeline.output_data", "haystack.agent.output"),
            "haystack.tool.output",
        ),
    ),
    Pair(
        "openllmetry",
        ("traceloop.", "gen_ai.task."),
        ("traceloop.entity.input", "gen_ai.task.input"),
        ("traceloop.entity.output", "gen_ai.task.output"),
    ),
    Pair(
        "trulens",
        ("ai.observability.", "trulens."),
        (
            *("ai.observability.record_root.input", "ai.observability.retrieval.query_text"),
            *("trulens.sem.retrieval.query_text", "ai.observability.call.kwargs.query"),
        ),
        (
            *("ai.observability.record_root.output", "ai.observability.retrieval.retrieved_contexts"),
            *("trulens.sem.retrieval.retrieved_contexts", "ai.observability.call.return"),
        ),
        variables="ai.observability.call.kwargs.",
    ),
    Pair(
        "openlit",
        ("gen_ai.workflow.", "gen_ai.framework.", "gen_ai.content.", "gen_ai.agent.final", "gen_ai.vectordb."),
        (
            *("gen_ai.content.prompt", "gen_ai.workflow.input", "gen_ai.framework.pipeline.input_data"),
            "gen_ai.vectordb.search.query",
        ),
        (
            *("gen_ai.content.completion", "gen_ai.workflow.output", "gen_ai.framework.pipeline.output_data"),
            "gen_ai.agent.final_result",
        ),
    ),
    Pair(
        "spring_ai",
        ("spring.ai.", "db.vector.query."),
        ("db.vector.query.content", "spring.ai.chat.client.user.text"),
        ("spring.ai.vectorstore.query.response.documents", "db.vector.query.response.documents"),
        Role.RETRIEVER,
    ),
    Pair("crewai", ("crewai.",), ("crewai.task.description",), ("crewai.crew.result",)),
    Pair("mcp", ("mcp.",), (), ("mcp.tool.result", "mcp.response.value"), Role.TOOL),
    Pair("langwatch", ("langwatch.",), ("langwatch.input",), ("langwatch.rag_contexts", "langwatch.output")),
    Pair("laminar", ("lmnr.",), ("lmnr.span.input",), ("lmnr.span.output",)),
    Pair(
        "braintrust",
        ("braintrust.",),
        ("braintrust.input_json", "braintrust.input"),
        ("braintrust.output_json", "braintrust.output"),
    ),
    Pair("genkit", ("genkit:",), ("genkit:input",), ("genkit:output",)),
    Pair("agentops", ("agentops.",), ("agentops.entity.input",), ("agentops.entity.output",)),
)


def pair_reader(pair: Pair) -> Reader:
    """Make the reader of one convention."""

    def read(span: SpanView) -> Extract | None:
        attributes = span.attributes
        if not any(key.startswith(pair.marks) for key in attributes):
            return None
        role = role_of(span)
        draft = Draft(pair.convention, pair.role if role is Role.OTHER else role)
        for key in pair.given:
            draft.given(key, attributes.get(key))
        for key in pair.returned:
            if not (draft.answers or draft.documents) and not is_absent(attributes.get(key)):
                draft.returned(key, attributes[key])
        if pair.variables and draft.role is Role.LLM:
            for key, value in attributes.items():
                if key.startswith(pair.variables):
                    draft.variable(key, key.removeprefix(pair.variables), value)
        return draft.extract()

    return read
