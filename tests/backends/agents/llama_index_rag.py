"""A LlamaIndex retriever query engine under the OpenInference instrumentation."""

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.llms.openai import OpenAI
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from telemetry import MODEL, exported

PASSAGES = (
    ("eiffel-1", "The Eiffel Tower is 330 metres tall and was completed in 1889."),
    ("eiffel-2", "The Eiffel Tower stands on the Champ de Mars in Paris."),
)


class Passages(BaseRetriever):
    """Returns the same two passages for every query."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [NodeWithScore(node=TextNode(id_=name, text=text), score=0.9) for name, text in PASSAGES]


with exported("llama-index-openinference"):
    LlamaIndexInstrumentor().instrument()
    engine = RetrieverQueryEngine.from_args(Passages(), llm=OpenAI(model=MODEL))
    engine.query("How tall is the Eiffel Tower?")
