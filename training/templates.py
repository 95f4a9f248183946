"""The exact texts that the heads read. The runtime builds the same; see "Text templates" in training/README.md."""

SHORT_CLAIM_WORDS = 10
MAX_QUESTION_WORDS = 40
MAX_RELEVANCE_QUESTION_WORDS = 64


def support_pair(evidence: str, claim: str, question: str | None) -> tuple[str, str]:
    """Segment A and B of the support head: the question stands before a claim that is too short to stand alone."""
    asked = " ".join((question or "").split()[-MAX_QUESTION_WORDS:])
    if asked and len(claim.split()) <= SHORT_CLAIM_WORDS:
        return evidence, f"{asked} {claim}"
    return evidence, claim


def relevance_pair(question: str, answer: str) -> tuple[str, str]:
    """Segment A and B of the relevance head: the end of a long question, the answer."""
    return " ".join(question.split()[-MAX_RELEVANCE_QUESTION_WORDS:]), answer


def mark_unseen(ids: list[int], kinds: list[int]) -> list[int]:
    """Token types of a support pair: 0 evidence, 1 claim token that the evidence holds, 2 claim token that it lacks.

    A small encoder needs very many examples to learn to compare two texts; told which tokens match, it can spend what
    it has on whether the match means anything.
    """
    seen = {token for token, kind in zip(ids, kinds, strict=True) if kind == 0}
    return [kind if kind == 0 or token in seen else 2 for token, kind in zip(ids, kinds, strict=True)]
