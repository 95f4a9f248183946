"""A LangChain retrieval chain under one of three instrumentations: otel, openinference, openllmetry."""

import importlib
import sys

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnablePassthrough
from langchain_openai import ChatOpenAI
from telemetry import MODEL, exported

INSTRUMENTORS = {
    "otel": ("opentelemetry.instrumentation.genai.langchain", "LangChainInstrumentor"),
    "openinference": ("openinference.instrumentation.langchain", "LangChainInstrumentor"),
    "openllmetry": ("opentelemetry.instrumentation.langchain", "LangchainInstrumentor"),
}
PASSAGES = (
    ("eiffel-1", "The Eiffel Tower is 330 metres tall and was completed in 1889."),
    ("eiffel-2", "The Eiffel Tower stands on the Champ de Mars in Paris."),
)


class Passages(BaseRetriever):
    """Returns the same two passages for every query."""

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [Document(page_content=text, id=name, metadata={"query": query}) for name, text in PASSAGES]


def joined(documents: list[Document]) -> str:
    """Join the passages for the prompt."""
    return "\n\n".join(document.page_content for document in documents)


module, name = INSTRUMENTORS[sys.argv[1]]
with exported(f"langchain-{sys.argv[1]}"):
    getattr(importlib.import_module(module), name)().instrument()
    prompt = ChatPromptTemplate.from_messages(
        [
            ("system", "Answer from the context only.\n\nContext:\n{context}"),
            ("user", "{question}"),
        ]
    )
    chain = (
        {"context": Passages() | joined, "question": RunnablePassthrough()}
        | prompt
        | ChatOpenAI(model=MODEL)
        | StrOutputParser()
    )
    chain.invoke("How tall is the Eiffel Tower?")
