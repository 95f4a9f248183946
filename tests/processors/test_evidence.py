import pytest

from otel_agent_eval.processors.evidence import MAX_EVIDENCE_WORDS, EvidenceIndex

TOWER = "The Eiffel Tower is 330 metres tall. It stands in Paris. It was completed in 1889."


def test_short_documents_are_evidence_as_a_whole() -> None:
    evidence = EvidenceIndex([TOWER]).select("It was completed in 1889.")
    assert evidence.text == TOWER
    assert evidence.documents == (0,)


def test_the_best_document_comes_first() -> None:
    filler = "Bananas are rich in potassium and grow in warm countries. " * 40
    evidence = EvidenceIndex([filler, TOWER]).select("The tower was completed in 1889.")
    assert "completed in 1889" in evidence.text
    assert evidence.documents[0] == 1


def test_evidence_keeps_to_its_length() -> None:
    documents = [f"Sentence number {i} speaks of the tower and of {i} other things." for i in range(300)]
    assert len(EvidenceIndex(documents).select("The tower and other things").text.split()) <= MAX_EVIDENCE_WORDS


def test_coverage_and_missing_numbers() -> None:
    index = EvidenceIndex([TOWER])
    assert index.ground("The tower is 330 metres tall").coverage == 1.0
    assert index.ground("The tower is 500 metres tall").numbers == 1.0
    assert index.ground("and the").coverage == 1.0


@pytest.mark.parametrize("documents", [[], [""], ["\x00"], ["🙂"], ["word " * 100_000], ["One. "] * 500])
def test_any_documents(documents: list[str]) -> None:
    index = EvidenceIndex(documents)
    index.select("one word", "which word?")
    index.ground("one word")
