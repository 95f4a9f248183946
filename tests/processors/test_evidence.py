import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.processors.evidence import MAX_EVIDENCE_WORDS, EvidenceIndex, content_words
from otel_agent_eval.processors.sentences import split_sentences

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


def slowly(documents: Sequence[str], claim: str, question: str) -> list[str]:
    """What is chosen, by the rule alone: every sentence is looked at again and again."""
    texts = [sentence.text for document in documents for sentence in split_sentences(document)]
    words = [content_words(text) for text in texts]
    wanted = {**dict.fromkeys(content_words(question), 0.3), **dict.fromkeys(content_words(claim), 1.0)}
    counts = {word: sum(word in own for own in words) for word in wanted}
    weights = {w: weight * math.log(1 + len(texts) / counts[w]) for w, weight in wanted.items() if counts[w]}

    def value(index: int) -> float:
        return round(math.fsum(weights[word] for word in words[index] & weights.keys()), 9)

    chosen: list[int] = []
    room = MAX_EVIDENCE_WORDS
    left = sorted((i for i in range(len(texts)) if words[i] & weights.keys()), key=lambda i: (-value(i), i))[:64]
    while left and room > 0:
        best = max(left, key=lambda i: (value(i), -i))
        left.remove(best)
        if len(texts[best].split()) <= room or not chosen:
            chosen.append(best)
            room -= len(texts[best].split())
            for word in words[best] & weights.keys():
                weights[word] *= 0.3
    centre = chosen[0] if chosen else 0
    for index in sorted(range(len(texts)), key=lambda i: (abs(i - centre), i)):
        if abs(index - centre) <= 20 and index not in chosen and len(texts[index].split()) <= room:
            chosen.append(index)
            room -= len(texts[index].split())
    return [texts[index] for index in sorted(chosen)]


WORDS = st.sampled_from([f"w{number}" for number in range(30)] + ["the", "of", "tower", "towers", "1889"])
SENTENCE = st.lists(WORDS, min_size=1, max_size=25).map(lambda words: " ".join(words) + ".")
DOCUMENTS = st.lists(st.lists(SENTENCE, max_size=40).map("\n".join), max_size=4)


@given(DOCUMENTS, SENTENCE, SENTENCE)
def test_the_index_chooses_what_looking_at_every_sentence_would_choose(
    documents: list[str], claim: str, question: str
) -> None:
    found = EvidenceIndex(documents).select(claim, question).text
    assert found.split() == " ".join(slowly(documents, claim, question)).split()


def test_the_last_of_very_many_sentences_is_found() -> None:
    filler = [f"Warm country number {number} has a long summer." for number in range(50_000)]
    evidence = EvidenceIndex(["\n".join([*filler, TOWER])]).select("The tower was completed in 1889.")
    assert "completed in 1889" in evidence.text


def test_encoded_data_counts_by_its_length() -> None:
    blob = "\n".join(f"tower{number}" + "x" * 3000 for number in range(100))
    assert len(EvidenceIndex([blob]).select("tower").text) < 10_000
