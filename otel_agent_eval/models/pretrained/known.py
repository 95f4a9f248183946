"""Well-known models that fit: where to begin."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Known:
    """A published model: the evaluators it serves, the size of its weights in megabytes, roughly, and its licence."""

    name: str
    fits: tuple[str, ...]
    megabytes: int
    licence: str


KNOWN = (
    Known("detoxify/original", ("toxicity",), 440, "apache-2.0"),
    Known("detoxify/unbiased", ("toxicity",), 500, "apache-2.0"),
    Known("detoxify/multilingual", ("toxicity",), 1100, "apache-2.0"),
    Known("cross-encoder/nli-deberta-v3-base", ("faithfulness",), 740, "apache-2.0"),
    Known("vectara/hallucination_evaluation_model", ("faithfulness",), 440, "apache-2.0"),
    Known("KRLabsOrg/lettucedect-base-modernbert-en-v1", ("faithfulness",), 600, "mit"),
    Known("sentence-transformers/all-MiniLM-L6-v2", ("relevance",), 90, "apache-2.0"),
    Known("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", ("relevance",), 470, "apache-2.0"),
    Known("cross-encoder/ms-marco-MiniLM-L6-v2", ("relevance",), 90, "apache-2.0"),
)
