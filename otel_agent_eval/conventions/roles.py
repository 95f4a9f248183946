"""What a span does, in the words of each convention."""

from collections.abc import Mapping

from otel_agent_eval.conventions.extract import Role
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.conventions.values import Json, decode

_WORDS: Mapping[str, Role] = {
    "llm": Role.LLM,
    "chat_model": Role.LLM,
    "chat": Role.LLM,
    "completion": Role.LLM,
    "text_completion": Role.LLM,
    "generate_content": Role.LLM,
    "generation": Role.LLM,
    "llm_call": Role.LLM,
    "model": Role.LLM,
    "inference": Role.LLM,
    "response": Role.LLM,
    "agent": Role.AGENT,
    "invoke_agent": Role.AGENT,
    "create_agent": Role.AGENT,
    "agent_run": Role.AGENT,
    "chain": Role.CHAIN,
    "workflow": Role.CHAIN,
    "invoke_workflow": Role.CHAIN,
    "task": Role.CHAIN,
    "execute_task": Role.CHAIN,
    "plan": Role.CHAIN,
    "parser": Role.CHAIN,
    "record_root": Role.CHAIN,
    "workflow_step": Role.CHAIN,
    "graph_node": Role.CHAIN,
    "retriever": Role.RETRIEVER,
    "retrieval": Role.RETRIEVER,
    "retrieve": Role.RETRIEVER,
    "vector_db_retrieve": Role.RETRIEVER,
    "rag": Role.RETRIEVER,
    "reranker": Role.RERANKER,
    "rerank": Role.RERANKER,
    "reranking": Role.RERANKER,
    "memory": Role.MEMORY,
    "search_memory": Role.MEMORY,
    "tool": Role.TOOL,
    "execute_tool": Role.TOOL,
    "function": Role.TOOL,
    "tool_call": Role.TOOL,
    "mcp": Role.TOOL,
    "embedding": Role.EMBEDDING,
    "embeddings": Role.EMBEDDING,
    "embed": Role.EMBEDDING,
    "prompt": Role.PROMPT,
    "guardrail": Role.GUARDRAIL,
    "guardrails": Role.GUARDRAIL,
    "guardrail_check": Role.GUARDRAIL,
    "evaluator": Role.EVALUATOR,
    "evaluation": Role.EVALUATOR,
    "evaluate": Role.EVALUATOR,
    "eval": Role.EVALUATOR,
    "eval_root": Role.EVALUATOR,
    "judge": Role.EVALUATOR,
    "scorer": Role.EVALUATOR,
}

# In order of trust: LangSmith calls its retrievers' operation "embeddings", but says what they are.
KIND_KEYS = (
    "langsmith.span.kind",
    "openinference.span.kind",
    "langfuse.observation.type",
    "mlflow.spanType",
    "ai.observability.span_type",
    "trulens.span_type",
    "langwatch.span.type",
    "gen_ai.operation.name",
    "traceloop.span.kind",
    "agentops.span.kind",
    "lmnr.span.type",
    "genkit:metadata:subtype",
    "genkit:type",
    "span_type",
    "llm.request.type",
    "span.type",
)

# Vercel's outer spans hold the steps of an agent; the inner ones (`.doGenerate`, `.doStream`) call the model.
_VERCEL: Mapping[str, Role] = {
    "ai.toolCall": Role.TOOL,
    "ai.embed": Role.EMBEDDING,
    "ai.embedMany": Role.EMBEDDING,
    "ai.rerank": Role.RERANKER,
}
# What a span does if no kind is stated but one of these is: the first that fits.
_IMPLIED: Mapping[str, Role] = {
    "gen_ai.tool.name": Role.TOOL,
    "gen_ai.tool.call.id": Role.TOOL,
    "mcp.tool.name": Role.TOOL,
    "haystack.tool.name": Role.TOOL,
    "gen_ai.retrieval.query.text": Role.RETRIEVER,
    "gen_ai.retrieval.documents": Role.RETRIEVER,
    "db.vector.query.content": Role.RETRIEVER,
    "gen_ai.vectordb.search.query": Role.RETRIEVER,
    "haystack.agent.input": Role.AGENT,
    "haystack.pipeline.input_data": Role.CHAIN,
    "gen_ai.workflow.name": Role.CHAIN,
    "gen_ai.step.name": Role.CHAIN,
    "gen_ai.task.name": Role.CHAIN,
}
_HAYSTACK = (  # how the names of its components' classes end
    ("Retriever", Role.RETRIEVER),
    ("WebSearch", Role.RETRIEVER),
    ("Ranker", Role.RERANKER),
    ("Generator", Role.LLM),
    ("Embedder", Role.EMBEDDING),
    ("Evaluator", Role.EVALUATOR),
    ("PromptBuilder", Role.PROMPT),
    ("ToolInvoker", Role.TOOL),
    ("Agent", Role.AGENT),
)
_LLAMA_INDEX = (  # how the names of its classes end, which OpenLLMetry calls tasks
    ("Retriever", Role.RETRIEVER),
    ("Rerank", Role.RERANKER),
    ("Tool", Role.TOOL),
    ("Splitter", Role.PROMPT),
)
_AGENT_SPANS = ("invoke_agent ", "create_agent ")
_GUARDS = frozenset({Role.EVALUATOR, Role.GUARDRAIL})


def role_of(span: SpanView) -> Role:
    """Say what a span does by what it says of itself; `Role.OTHER` if it does not say.

    If any convention calls it an evaluator or a guardrail it is one, whatever another says: their texts must not be
    judged again.
    """
    stated = [_word(span.attributes.get(key)) for key in KIND_KEYS]
    component = _haystack(span.attributes.get("haystack.component.type"))
    if span.scope == "openinference.instrumentation.haystack" and span.name.endswith("PromptBuilder.run"):
        component = Role.PROMPT  # some versions call it a model call
    guard = next((role for role in (component, *stated) if role in _GUARDS), None)
    if guard is not None:
        return guard
    vercel = _vercel(span.attributes.get("ai.operationId"))
    named = _llama_index(span) if span.scope.endswith("instrumentation.llamaindex") else Role.OTHER
    found = next((role for role in (vercel, component, named, *stated) if role is not Role.OTHER), Role.OTHER)
    if (
        found is Role.TOOL
        and span.scope.startswith("semantic_kernel.")
        and "gen_ai.tool.call.id" not in span.attributes
    ):
        return Role.CHAIN  # a prompt function that the application itself invokes
    if found is Role.LLM and span.name.endswith("Predict.forward"):
        return Role.CHAIN  # DSPy by MLflow: a module, around the call itself
    if found is Role.LLM and span.name.startswith(_AGENT_SPANS):
        return Role.AGENT  # LangGraph by Splunk's utilities: the operation says "chat"
    if found is not Role.OTHER:
        return found
    return next((role for key, role in _IMPLIED.items() if key in span.attributes), Role.OTHER)


def _word(value: Json) -> Role:
    """Map a kind to a role; MLflow's are JSON strings, Monocle's have dots (`inference.framework`, `agentic.turn`)."""
    value = decode(value).value if isinstance(value, str) else None
    if not isinstance(value, str):
        return Role.OTHER
    word = value.strip().lower().replace("-", "_").replace(" ", "_")
    if word in _WORDS:
        return _WORDS[word]
    if word.endswith("_memory"):
        return Role.MEMORY
    if word.startswith("agentic."):
        return Role.TOOL if "tool" in word or "mcp" in word else Role.AGENT
    return _WORDS.get(word.split(".")[0], Role.OTHER)


def _vercel(operation: Json) -> Role:
    if not isinstance(operation, str) or not operation.startswith("ai."):
        return Role.OTHER
    base, _, step = operation.removeprefix("ai.").partition(".")
    if f"ai.{base}" in _VERCEL:
        return _VERCEL[f"ai.{base}"]
    return Role.LLM if step.startswith("do") else Role.CHAIN


def _haystack(component: Json) -> Role:
    if not isinstance(component, str):
        return Role.OTHER
    return next((role for ending, role in _HAYSTACK if component.endswith(ending)), Role.CHAIN)


def _llama_index(span: SpanView) -> Role:
    component = span.name.removesuffix(".task")
    return next((role for ending, role in _LLAMA_INDEX if component.endswith(ending)), Role.OTHER)
