"""OpenInference: flattened `llm.*`, `retrieval.*` and `input.value` attributes."""

from otel_agent_eval.conventions.draft import Draft
from otel_agent_eval.conventions.extract import Extract, Role
from otel_agent_eval.conventions.flat import unflatten
from otel_agent_eval.conventions.inputs import question_variable
from otel_agent_eval.conventions.roles import role_of
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.conventions.values import decode, is_absent, text

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
        draft.returned("output.value", returned)
