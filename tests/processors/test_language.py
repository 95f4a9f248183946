# ruff: noqa: RUF001 (letters that look like others are what is tested)
import pytest

from otel_agent_eval.processors.language import is_readable


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Plain English.",
        "naïve café, Zürich, Łódź",
        "42 * 3.14 = 131.88",
        "🙂🙂🙂",
        "ｆｕｌｌ ｗｉｄｔｈ",
        "𝓯𝓪𝓷𝓬𝔂 𝖑𝖊𝖙𝖙𝖊𝖗𝖘",
        "The word for peace is мир in Russian.",
        "\ud800\x00",
    ],
)
def test_latin_text_and_text_without_letters_is_readable(text: str) -> None:
    assert is_readable(text)


@pytest.mark.parametrize(
    "text", ["Хорошо, спасибо", "你好，世界", "مرحبا بالعالم", "नमस्ते", "안녕하세요 OK", "Γειά σου"]
)
def test_text_in_other_scripts_is_not_readable(text: str) -> None:
    assert not is_readable(text)


def test_the_script_of_a_long_text_is_not_told_by_its_beginning() -> None:
    assert not is_readable("An English heading\n" + "Хорошо, спасибо. " * 100_000)
