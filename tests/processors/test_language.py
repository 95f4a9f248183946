# ruff: noqa: RUF001 (letters that look like others are what is tested)
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.foreign_sentences import SENTENCES

from otel_agent_eval.processors.language import readable
from otel_agent_eval.processors.reading import finish

ABUSE = "You are a worthless piece of shit and everybody hates you."


def is_readable(text: str) -> bool:
    (found,) = finish(readable([text]))
    return found


@pytest.mark.parametrize(
    "text",
    [
        "Plain English.",
        "The word for peace is мир in Russian.",
        "naïve café, Zürich, Łódź",
        "ｆｕｌｌ ｗｉｄｔｈ",
        "𝓯𝓪𝓷𝓬𝔂 𝖑𝖊𝖙𝖙𝖊𝖗𝖘",
        "Carlos Arturo Bacca Ahumada",
        "Domenico Dolce and Stefano Gabbana.",
        "The Brazilian President is Luiz Inácio Lula da Silva.",
        "lol no no no punk ass",
        "u r a paki",
        "What an idiot. hahahahahahahahaha",
        "it's a sci - fi movie.",
        "y0u 4r3 4n 1d10t",
        "f u c k  y o u",
        "уоu аrе аn іdіоt",
        "hahaha on ya ♿",
        "pip install numpy && python -m venv .venv",
        "SELECT id, name FROM users WHERE total > 100 ORDER BY name;",
        "def mean(xs): return sum(xs) / len(xs)",
        "camostat mesylate cure coronavirus.",
    ],
)
def test_english_is_readable_whatever_its_style(text: str) -> None:
    assert is_readable(text)


@pytest.mark.parametrize("text", ["", " ", "42", "42 * 3.14 = 131.88", "🙂🙂🙂", "\ud800\x00", "Paris", "Non.", "OK"])
def test_what_tells_nothing_is_readable(text: str) -> None:
    assert is_readable(text)


@pytest.mark.parametrize("language", SENTENCES)
def test_another_language_is_not_readable(language: str) -> None:
    assert not is_readable(" ".join(SENTENCES[language]))
    long_enough = [sentence for sentence in SENTENCES[language] if len(sentence) > 35]
    assert not any(map(is_readable, long_enough))


@pytest.mark.parametrize(
    "text", ["Хорошо, спасибо", "你好，世界", "مرحبا بالعالم", "नमस्ते", "안녕하세요 OK", "Γειά σου"]
)
def test_another_script_is_not_readable(text: str) -> None:
    assert not is_readable(text)


@pytest.mark.parametrize("language", ["de", "fr", "tr", "vi", "sw"])
def test_english_is_found_among_another_language(language: str) -> None:
    foreign = " ".join(SENTENCES[language])
    assert is_readable(f"{foreign} {ABUSE} {foreign}")
    assert is_readable(f"{foreign} {ABUSE.upper()} {foreign}")
    assert is_readable(f"{foreign} {ABUSE.lower().replace('.', '')} {foreign}")


def test_english_is_found_among_another_script() -> None:
    assert is_readable(f"Хорошо, спасибо, до свидания, всего вам самого доброго! {ABUSE} Приходите ещё, пожалуйста!")


def test_a_long_text_is_told_by_all_of_it() -> None:
    foreign = " ".join(SENTENCES["es"]) * 100
    assert not is_readable(f"Notes\n{foreign}")
    assert is_readable(f"{foreign}{ABUSE}{foreign}")


@given(st.text(st.characters(), max_size=300))
def test_any_text_is_told(text: str) -> None:
    assert is_readable(text) in {True, False}
