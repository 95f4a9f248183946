"""Patterns inside texts: what is found, what is left alone, in JSON, in other scripts, and in bounded time."""

import html
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_agent_eval.processors.redaction_patterns import PATTERNS, own_pattern
from otel_agent_eval.processors.redaction_rules import Action, Hasher
from otel_agent_eval.processors.redaction_text import MASK, TextRedactor

MEBIBYTE = 1 << 20
ALL = TextRedactor(list(PATTERNS.values()), lambda _: MASK)
HASHER = Hasher(lambda: b"a key of tests, 32 characters!!!")
HASHED = TextRedactor(list(PATTERNS.values()), lambda text: HASHER.instead(Action.HASH, text))

FOUND = {
    "email": ("bob@example.com", "jörg.müller+a@bücher.example", "用户@例子.公司", "o'neil@a-b.co.uk", "иван@почта.рф"),
    "phone": (
        "+49 171 1234567",
        "+1 (415) 555-2671",
        "(415) 555-2671",
        "415-555-2671",
        "0171/1234567",
        "0044 20 7946 0958",
    ),
    "iban": ("DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "de89370400440532013000", "NO93 8601 1117 947"),
    "credit_card": (
        "4111 1111 1111 1111",
        "5500-0000-0000-0004",
        "378282246310005",
        "3782 822463 10005",
        "4111111111111111",
    ),
    "ip_address": ("10.0.0.1", "fe80::1", "2001:db8::ff00:42:8329", "::ffff:10.0.0.1", "1:2:3:4:5:6:7:8"),
    "us_ssn": ("078-05-1120", "219 09 9999"),
    "api_key": (
        "Bearer abcdefghijklmnop1234",
        "sk-proj-abcdefghijklmnop1234",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----",
    ),
}
ESCAPES: Mapping[str, Callable[[str], str]] = {
    "url": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "url in a url": lambda text: quote(quote(text, safe=""), safe=""),
    "every byte": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "html": lambda text: html.escape(text).replace("@", "&#64;").replace(" ", "&nbsp;").replace("+", "&plus;"),
    "html in hexadecimal": lambda text: "".join(f"&#x{ord(character):X};" for character in text),
    "html in html": lambda text: html.escape("".join(f"&#{ord(character)};" for character in text)),
    "html in a url": lambda text: quote(text.replace("@", "&commat;").replace(" ", "&#160;"), safe=""),
    "program": lambda text: "".join(f"\\u{ord(character):04x}" for character in text),
    "program in a program": lambda text: "".join(f"\\\\\\\\u{ord(character):04x}" for character in text),
    "bytes of a program": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
}
LEFT = {
    "email": ("@dataclass", "bob@localhost", "a @ b.com", "price@"),
    "phone": ("2026-11-23", "12:30:45", "1700000000", "v1.2.3", "pages 12-14", "3.14159265"),
    "iban": (
        "DE89 3704 0044 0532 0130 01",
        "DE89\u017f\u017f\u017f\u017f\u017f\u017f\u017f\u017f\u017f\u017f\u017f\u017f\u017f\u017f\u017f\u017f\u017f\u017f",
        "AB12 3456 7890 1234 5678",
        "GB82WEST1234569876543",
    ),
    "credit_card": ("4111 1111 1111 1112", "1700000000000000000", "0.4111111111111112", "9111111111111111"),
    "ip_address": ("999.1.1.1", "std::vector", "12:30:45", "::", "1.2.3"),
    "us_ssn": ("666-05-1120", "000-12-1234", "123-00-1234", "123456789"),
    "api_key": ("a task-abcdefghijklmnopqrst", "bearer of bad news", "skeleton", "basic questions"),
}


def only(name: str) -> TextRedactor:
    return TextRedactor([PATTERNS[name]], lambda _: MASK)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in FOUND.items() for text in texts])
def test_it_is_found_alone_and_among_other_text_in_any_script(name: str, text: str) -> None:
    redactor = only(name)
    assert redactor.redact(text) == MASK
    assert redactor.redact(f"see 👉 {text} 👈, ask") == f"see 👉 {MASK} 👈, ask"
    assert redactor.redact(f"询问 {text}。") == f"询问 {MASK}。"
    assert text not in ALL.redact(f"it's\t{text}\n")


@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in FOUND.items() for text in texts])
def test_it_is_found_behind_escapes_and_what_is_around_it_stays(name: str, text: str, escape: str) -> None:
    url = f"/ask%3F?q=a%20b&amp;&#38;user={ESCAPES[escape](text)}&x=%C3%BC"
    assert only(name).redact(url) == f"/ask%3F?q=a%20b&amp;&#38;user={MASK}&x=%C3%BC"
    assert ALL.redact(ALL.redact(url)) == ALL.redact(url)
    assert ALL.could_find(url.encode())
    found = json.loads(ALL.redact(json.dumps({"url": url, "n": 1})))
    assert (found["url"], found["n"]) == (ALL.redact(url), 1)


def test_equal_values_have_equal_hashes_however_they_are_escaped() -> None:
    found = {HASHED.redact(escape("bob@example.com")) for escape in ESCAPES.values()}
    assert found == {HASHED.redact("bob@example.com")}


def test_what_is_only_escaped_stays() -> None:
    text = r"100%25 %zz %4 &nbsp; &nope; &#99999999; &#xD800; \u12 \xq \\u00e9 %ff%c3 %F4%BF%BF%BF"
    assert ALL.redact(text) == text


def test_an_own_expression_may_find_bytes_that_are_no_text() -> None:
    redactor = TextRedactor([own_pattern("a.b")], lambda _: MASK)
    assert redactor.redact("x a%F4%BF%BF%BFb y") in {f"x {MASK} y", "x a%F4%BF%BF%BFb y"}
    assert redactor.redact("x a%C3%BCb y") == f"x {MASK} y"


def test_more_kinds_of_escapes_than_anybody_nests_are_masked_as_a_whole() -> None:
    text = "bob@example.com"
    for _ in range(4):
        text = "".join(f"&#{ord(character)};" for character in quote(text, safe=""))
    assert ALL.redact(text) == MASK


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in LEFT.items() for text in texts])
def test_it_is_left_alone(name: str, text: str) -> None:
    assert only(name).redact(text) == text


def test_a_number_after_another_that_only_seems_one_is_found() -> None:
    assert only("iban").redact("AB12 DE89 3704 0044 0532 0130 00 is it") == f"AB12 {MASK} is it"
    assert only("credit_card").redact("1234 4111 1111 1111 1111") == f"1234 {MASK}"


@pytest.mark.parametrize("depth", range(7))
@pytest.mark.parametrize("text", ["x\nbob@example.com", 'say "hi" to bob@example.com 🎈', "é bob@example.com"])
def test_in_json_inside_of_json_it_is_found_and_json_stays(text: str, depth: int) -> None:
    value: Any = {"role": "user", "content": [text, 17, None, 1.50]}
    encoded = json.dumps(value)
    for _ in range(depth):
        encoded = json.dumps([encoded])
    redacted = ALL.redact(encoded)
    assert "bob@example.com" not in redacted
    for _ in range(depth):
        (redacted,) = json.loads(redacted)
    value["content"][0] = text.replace("bob@example.com", MASK)
    assert json.loads(redacted) == value


def test_what_json_hides_behind_escapes_is_found() -> None:
    assert ALL.redact(r'{"a": "bob\u0040example.com"}') == f'{{"a": "{MASK}"}}'
    assert ALL.redact(r'the tool said {"a": "\u0062ob@example.com"}') == f'the tool said {{"a": "{MASK}"}}'


def test_numbers_of_json_become_texts_so_that_json_stays() -> None:
    redacted = ALL.redact('{"card": 4111111111111111, "n": 12345678}')
    assert json.loads(redacted) == {"card": MASK, "n": 12345678}


def test_json_that_was_cut_is_searched_as_far_as_it_goes() -> None:
    assert ALL.redact('{"a": "x\\nbob@example.com and ev') == f'{{"a": "x\\n{MASK} and ev'
    assert ALL.redact('{"a": "x\\nbob@example.com\\u00') == f'{{"a": "x\\n{MASK}'


def test_json_nested_deeper_than_anybody_nests_is_masked_as_a_whole() -> None:
    text = "bob\u0040example.com"
    for _ in range(11):
        text = json.dumps(text)
    assert "example" not in ALL.redact(text)


TEXTS = st.text() | st.sampled_from([text for texts in FOUND.values() for text in texts])
JSON = st.recursive(TEXTS | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner))


@settings(max_examples=200)
@given(JSON, st.integers(0, 3))
def test_any_json_stays_json_and_is_redacted_once_and_for_all(value: Any, depth: int) -> None:
    for _ in range(depth):
        value = json.dumps(value)
    text = json.dumps(value)
    for redactor in (ALL, HASHED):
        once = redactor.redact(text)
        assert redactor.redact(once) == once
        json.loads(once)


@settings(max_examples=200)
@given(st.text("AEDI\u017f\u212a0123456789 .:-+@٣４", max_size=60))
def test_what_almost_looks_like_something_breaks_nothing(text: str) -> None:
    once = ALL.redact(text)
    assert ALL.redact(once) == once


@settings(max_examples=200)
@given(st.lists(TEXTS, min_size=1))
def test_any_text_is_redacted_once_and_for_all(parts: list[str]) -> None:
    once = ALL.redact(" ".join(parts))
    assert ALL.redact(once) == once


@settings(max_examples=300)
@given(st.lists(TEXTS, max_size=3), st.binary(max_size=20), st.booleans())
def test_a_request_in_which_nothing_could_be_found_holds_nothing(parts: list[str], around: bytes, escape: bool) -> None:
    text = json.dumps(" ".join(parts)) if escape else " ".join(parts)
    raw = around + text.encode("utf-8", "replace") + around
    if ALL.redact(text) != text:
        assert ALL.could_find(raw)


def test_own_expressions_with_assertions_are_looked_for_in_every_request() -> None:
    plain = TextRedactor([own_pattern("ACME-[0-9]+")], lambda _: MASK)
    assert not plain.could_find(b"nothing")
    assert plain.could_find(b"..ACME-7..")
    assert TextRedactor([own_pattern("^ACME")], lambda _: MASK).could_find(b"nothing")
    assert plain.redact("order ACME-17!") == f"order {MASK}!"


@pytest.mark.parametrize(
    "text",
    [
        "bob@example.com " * (MEBIBYTE // 16),
        "a" * MEBIBYTE,
        "a@" * (MEBIBYTE // 2),
        "1" * MEBIBYTE,
        "1 " * (MEBIBYTE // 2),
        "4111 " * (MEBIBYTE // 5),
        "::" * (MEBIBYTE // 2),
        "1.2." * (MEBIBYTE // 4),
        "+1" * (MEBIBYTE // 2),
        "DE89 " * (MEBIBYTE // 5),
        '"\\n' * (MEBIBYTE // 32),
        "\\" * MEBIBYTE,
        "[" * MEBIBYTE,
        '{"' * (MEBIBYTE // 2),
        "-----BEGIN PRIVATE KEY-----" * (MEBIBYTE // 27),
        "%40" * 90_000 + "bob%40example.com " * 900,
        "%26amp;" * 90_000,
        "&amp;#" * (MEBIBYTE // 6),
        "&" + "amp;" * (MEBIBYTE // 4),
        "%" + "25" * (MEBIBYTE // 2),
        "\\u" * (MEBIBYTE // 2),
        "\\\\u0025" * 90_000,
    ],
    ids=lambda text: text[:8],
)
@pytest.mark.timeout(60)
def test_a_mebibyte_made_to_be_slow_is_searched_all_the_same(text: str) -> None:
    redacted = ALL.redact(text)
    assert len(redacted) <= 2 * len(text)
    assert "bob@" not in redacted


@pytest.mark.timeout(60)
def test_an_own_expression_that_is_found_too_often_masks_the_whole() -> None:
    redactor = TextRedactor([own_pattern("(a.*b|a)")], lambda _: MASK)  # each search looks to the end
    assert redactor.redact("a" * MEBIBYTE) == MASK
    assert redactor.redact("xax") == f"x{MASK}x"


@pytest.mark.parametrize(
    "text",
    ["[" + r'"\u0062ob@example.com",' * 2_000 + "1]", "[" + r'"\n",' * 200_000 + "1]", MASK * 200_000],
    ids=["found in many strings", "many strings", "much that was masked"],
)
def test_a_text_of_which_too_much_must_be_looked_at_one_by_one_is_masked_as_a_whole(text: str) -> None:
    assert ALL.redact(f"{text} bob@example.com") == MASK


def test_what_many_strings_hide_is_found_in_those_that_hold_it() -> None:
    many = [f"x\n{number}" for number in range(5_000)]
    for place in (0, 63, 64, 511, 512, 4_999):
        many[place] = "x\nb%6Fb%40example.com"
    found = json.loads(ALL.redact(json.dumps({"a": many, "b": json.dumps(many)})))
    wanted = [text.replace("b%6Fb%40example.com", MASK) for text in many]
    assert (found["a"], json.loads(found["b"])) == (wanted, wanted)


def test_strings_beside_one_another_make_nothing_together() -> None:
    text = json.dumps(["x\nbob@", "example.com\n", 'an "open quote\n', "\x1e", "4111 1111\n", "1111 1111\n"])
    assert ALL.redact(text) == text
    quoted = json.dumps(['an "open\n', json.dumps("x\nbob@example.com"), "a \x1e\n"])
    assert json.loads(json.loads(ALL.redact(quoted))[1]) == f"x\n{MASK}"


def test_an_own_expression_that_looks_for_the_beginning_is_found_in_strings() -> None:
    redactor = TextRedactor([own_pattern("^ACME-[0-9]+$")], lambda _: MASK)
    assert json.loads(redactor.redact(json.dumps(["a\nb", r"ACME\u002d17", "c"]))) == ["a\nb", MASK, "c"]


def test_patterns_in_one_text_overlap_and_the_surer_counts() -> None:
    own = TextRedactor([own_pattern("b+"), own_pattern("a.*c")], lambda text: f"<{text.count('[')}>")
    assert own.redact("x abbc x") == "x <2> x"


@pytest.mark.timeout(60)
def test_the_texts_of_one_request_share_what_may_be_spent_on_them() -> None:
    text = "[" + r'"\n%5Cu0026#37;41 a::a",' * 2_000 + "1]"
    alone, one = ALL.redact(text), ALL.for_one_request()
    assert alone == text
    found = [one.redact(text) for _ in range(30)]
    assert found[0] == text
    assert found[-1] == MASK
    assert one.redact("what is plain stays") == "what is plain stays"
    assert ALL.redact(text) == text


def test_texts_that_hide_nothing_cost_their_length_and_not_their_strings() -> None:
    one = ALL.for_one_request()
    text = "[" + r'"\n%5Cu0026#37;41 a",' * 90_000 + "1]"
    assert [one.redact(text) == text for _ in range(3)] == [True] * 3
