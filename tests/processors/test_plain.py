import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.processors.plain import plain

WORDS = frozenset("you are an idiot fuck shit bitch kill yourself so good what the hell asshole stop god".split())  # noqa: SIM905 (reads better)


def read(text: str) -> str:
    return plain(text, WORDS.__contains__)


@pytest.mark.parametrize(
    ("hidden", "meant"),
    [
        ("1d10t", "idiot"),
        ("b!tch", "bitch"),
        ("sh1t!", "shit!"),
        ("wh@t the h3ll, a$$hole", "what the hell, asshole"),
        ("f u c k you", "fuck you"),
        ("k.i.l.l yourself", "kill yourself"),
        ("s-h-1-t", "shit"),
        ("fuuuuuck", "fuck"),
        ("gooooood", "good"),
        ("іdiоt", "idiot"),  # noqa: RUF001 (Cyrillic letters)
        ("ｉｄｉｏｔ", "idiot"),  # noqa: RUF001 (full-width letters)
        ("i\u200bdi\u00adot", "idiot"),
    ],
)
def test_a_disguised_word_is_read_as_it_is_meant(hidden: str, meant: str) -> None:
    assert read(hidden) == meant


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ("🔪", "kitchen knife"),
        ("👨🏿", "man dark skin tone"),
        ("🏳️‍🌈", "rainbow flag"),
        ("5️⃣", "5"),
        ("you 💩", "you pile of poo"),
    ],
)
def test_emoji_are_read_by_their_names(shown: str, words: str) -> None:
    assert read(shown).split() == words.split()


@pytest.mark.parametrize(
    "text",
    [
        "Call 112, or +44 20 7946 0018.",
        "C++ and F# on h2o, b2b, 401k, mp3 and 4ever at 8am",
        "That costs $5 or 10$, i.e. 50% off!",
        "Version 4.2.1 of the U.S. form 1040-EZ",
        "Sure! I'm happy to help. :-)",
        "Привет, как дела?",
        "你好 🤷".removesuffix(" 🤷"),
        "aaaargh",
    ],
)
def test_what_is_not_disguised_stays_as_it_is(text: str) -> None:
    assert read(text) == text


def test_a_word_that_the_model_knows_is_not_made_another() -> None:
    assert plain("s0 1st", frozenset({"s0", "so", "1st", "ist"}).__contains__) == "s0 1st"


@given(st.text(max_size=200))
def test_any_text_is_taken_and_reading_it_again_changes_little(text: str) -> None:
    once = read(text)
    assert len(once) <= 40 * len(text) + 40  # an emoji's name is long, compatibility forms too


@given(st.text(alphabet="1a! .-_*·@$o", max_size=2000))
def test_text_made_of_separators_and_digits_is_read_in_bounded_steps(text: str) -> None:
    read(text)
