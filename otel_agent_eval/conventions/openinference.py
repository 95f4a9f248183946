"""OpenInference: flattened `llm.*`, `retrieval.*` and `input.value` attributes."""

from collections.abc import Mapping

from otel_agent_eval.conventions.draft import Draft
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.flat import unflatten
from otel_agent_eval.conventions.inputs import question_variable
from otel_agent_eval.conventions.messages import input_turns, read_request
from otel_agent_eval.conventions.reprs import final_step
from otel_agent_eval.conventions.roles import role_of
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.conventions.values import Json, decode, is_absent, text

_MARKS = ("openinference.", "llm.input_messages", "llm.output_messages", "input.value", "output.value")
_MARKS_MORE = ("retrieval.documents", "reranker.", "llm.prompts", "llm.prompt_template", "llm.completions")
_VARIABLES = "llm.prompt_template.variables"
_DOCUMENTS = ("retrieval.documents", "reranker.output_documents")


def read(span: SpanView) -> Extract | None:
    """Read a span of OpenInference, or one that uses its names."""
    attributes = span.attributes
    if not any(key.startswith(_MARKS) or key.startswith(_MARKS_MORE) for key in attributes):
        return None
    draft = Draft("openinference", _role(span))
    if draft.role in {Role.EVALUATOR, Role.GUARDRAIL, Role.EMBEDDING}:
        return draft.extract()
    if not _lacks_results(attributes):
        draft.indexed_request(attributes, "llm.input_messages")
    draft.indexed_response(attributes, "llm.output_messages", span.dropped_attributes)
    for key in _DOCUMENTS:
        draft.indexed_retrieved(attributes, key, span.dropped_attributes)
    _read_variables(span, draft)
    if not draft.turns and draft.role is Role.LLM:
        _read_prompts(span, draft)
    _read_values(span, draft)
    return draft.extract()


def _role(span: SpanView) -> Role:
    role = role_of(span)
    if role is not Role.OTHER:
        return role
    if any(key.startswith(("llm.input_messages", "llm.output_messages")) for key in span.attributes):
        return Role.LLM
    return Role.RETRIEVER if any(key.startswith(_DOCUMENTS) for key in span.attributes) else Role.OTHER


def _lacks_results(attributes: Mapping[str, Json]) -> bool:
    """Say whether a tool's message came without its result, which the plain input still has (Haystack)."""
    for key, value in attributes.items():
        if value == "tool" and key.startswith("llm.input_messages.") and key.endswith(".message.role"):
            message = key.removesuffix("role")
            if not any(other.startswith(message + "content") for other in attributes):
                return any(turn.role == "tool" for turn in input_turns(read_request(attributes.get("input.value"))))
    return False


def _read_variables(span: SpanView, draft: Draft) -> None:
    found = decode(span.attributes.get(_VARIABLES)).value
    if isinstance(found, dict):
        variables = {name: text(value) for name, value in found.items()}
        draft.question = draft.question or question_variable(variables)
        for name, value in variables.items():
            draft.variable(_VARIABLES, name, value)


def _read_prompts(span: SpanView, draft: Draft) -> None:
    prompts, _, _ = unflatten(span.attributes, "llm.prompts")
    if isinstance(prompts, list):
        prompts = [p.get("prompt", p) if isinstance(p, dict) else p for p in prompts]
        prompts = [p.get("text", p) if isinstance(p, dict) else p for p in prompts]
    if not is_absent(prompts):
        draft.request("llm.prompts", prompts)


def _read_values(span: SpanView, draft: Draft) -> None:
    """Read the plain input and output, which repeat the messages where there are messages."""
    attributes = span.attributes
    given, returned = attributes.get("input.value"), attributes.get("output.value")
    if not (draft.turns or (draft.role is Role.LLM and draft.variables)):
        draft.given("input.value", given)
    elif draft.role is not Role.LLM:
        draft.asked("input.value", given)
    if not (draft.answers or draft.documents or draft.output_captured):
        final = final_step(returned) if isinstance(returned, str) and span.scope.endswith("smolagents") else None
        draft.returned("output.value", returned if final is None else final)
    if draft.role is not Role.LLM and not draft.question:
        _read_task(decode(returned).value, draft)


def _read_task(returned: Json, draft: Draft) -> None:
    """Read the question of CrewAI, whose outputs name the task; of several tasks the last one was answered."""
    if not isinstance(returned, Mapping) or "raw" not in returned:
        return
    tasks = returned.get("tasks_output")
    task = tasks[-1] if isinstance(tasks, list) and tasks else returned
    if isinstance(task, Mapping):
        draft.asked("output.value", task.get("description"))
