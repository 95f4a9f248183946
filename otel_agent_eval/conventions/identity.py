"""Who and what a span belongs to: model, agent, tool, conversation, response. The same keys serve every convention."""

from collections.abc import Sequence

from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.conventions.values import decode, is_absent, text

_MODEL = (
    *("gen_ai.response.model", "llm.response.model_name", "llm.model_name", "ai.response.model"),
    *("langfuse.observation.model.name", "langfuse.observation.model", "mlflow.llm.model", "gen_ai.request.model"),
    *("llm.request.model_name", "ai.model.id", "embedding.model_name", "reranker.model_name", "model_name"),
    *("llm.openai.model", "langsmith.metadata.ls_model_name", "ai.observability.cost.model", "litellm.provider.model"),
    *("lk.response.model",),
)
_AGENT = (
    *("gen_ai.agent.name", "agent.name", "agent_name", "langsmith.metadata.agent_name", "traceloop.agent.name"),
    *("haystack.agent.name", "lk.agent_name", "ai.telemetry.metadata.agentName", "agent_framework.agent.name"),
)
_TOOL = (
    *("gen_ai.tool.name", "tool.name", "ai.toolCall.name", "tool_call.function.name", "lk.function_tool.name"),
    *("mcp.tool.name", "toolCall.name"),
)
_CONVERSATION = (
    *("gen_ai.conversation.id", "session.id", "langfuse.session.id", "langsmith.trace.session_id"),
    *("langsmith.metadata.session_id", "langsmith.metadata.thread_id", "langsmith.metadata.conversation_id"),
    *("mlflow.trace.session", "ai.telemetry.metadata.sessionId", "ai.telemetry.metadata.conversationId"),
    *("gcp.vertex.agent.session_id", "traceloop.association.properties.session_id"),
    *("traceloop.association.properties.thread_id", "traceloop.association.properties.conversation_id"),
    *("traceloop.association.properties.chat_id", "langwatch.thread.id", "conversation_id", "scope.agentic.session"),
)
_TOOL_REASONS = ("tool_calls", "tool_call", "tool_use", "function_call")
_RESPONSE = ("gen_ai.response.id", "ai.response.id", "llm.response.id", "llm.openai.id")

IDENTITY_KEYS = (*_MODEL, *_AGENT, *_TOOL, *_CONVERSATION, *_RESPONSE)
"""Everything that is read here: names and ids, never content."""


def model_of(span: SpanView) -> str:
    """Name the model that answered, by its response where that is told, else the one that was asked for."""
    found = _first(span, _MODEL)
    return "" if found == "unknown" else found


def agent_of(span: SpanView) -> str:
    """Name the agent."""
    return _first(span, _AGENT)


def tool_of(span: SpanView) -> str:
    """Name the tool that a tool span runs."""
    return _first(span, _TOOL)


def conversation_of(span: SpanView) -> str:
    """Give the id of the conversation, thread or session."""
    return _first(span, _CONVERSATION)


def response_of(span: SpanView) -> str:
    """Give the id of the provider's response."""
    return _first(span, _RESPONSE)


def stopped_for_tools(span: SpanView) -> bool:
    """Say whether the model is said to have stopped in order to call tools, and for nothing else."""
    reasons = decode(span.attributes.get("gen_ai.response.finish_reasons")).value
    return isinstance(reasons, list) and bool(reasons) and all(reason in _TOOL_REASONS for reason in reasons)


def _first(span: SpanView, keys: Sequence[str]) -> str:
    for key in keys:
        value = span.attributes.get(key)
        if isinstance(value, str) and not is_absent(value):
            decoded = decode(value).value  # MLflow and LangSmith write JSON strings: quotes inside
            return text(decoded if isinstance(decoded, str) else value)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return ""
