"""What looks like an address, a number or a key of somebody, by ready patterns: candidates by RE2, then a check.

The candidates are generous, so that none is missed; the checks keep dates, times and other numbers.
"""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import re2

Regex = Any
"""A compiled expression of RE2, which has no types; for bytes `search(data, position)` gives a match with its span."""

Check = Callable[[str], "tuple[int, int] | int"]
"""From a candidate to the range of its characters that is meant, or how many to pass over before the next look."""

_LONGEST_CARD: Final = 24  # characters, with what stands between the groups of digits


class Pattern(NamedTuple):
    """A regular expression in RE2's syntax, which takes time in proportion to the text, and what is checked then."""

    regex: str
    check: Check | None = None


def own_pattern(regex: str) -> Pattern:
    """Make a pattern of a user's regular expression. Raises `ValueError` where it is none."""
    try:
        compiled = compiled_regex(regex)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"not a regular expression (RE2): {reason}") from None
    if compiled.search(b"") is not None:
        raise ValueError("this regular expression finds the empty text, which is everywhere")
    if r"\C" in regex:
        raise ValueError(r"\C stands for a part of a character, which cannot be replaced")
    return Pattern(regex)


def compiled_regex(regex: str) -> Regex:
    """Compile a regular expression for texts in UTF-8. Raises `re2.error`."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(regex, options)


def _card(candidate: str) -> tuple[int, int] | int:
    """Take a number of 13 to 19 digits that begins like a card's and passes Luhn's check."""
    digits = "".join(str(int(character)) for character in candidate[:_LONGEST_CARD] if character.isdecimal())
    if len(candidate) < _LONGEST_CARD and 13 <= len(digits) <= 19 and digits[0] in "23456" and _luhn(digits):  # noqa: PLR2004 (the lengths of numbers)
        return 0, len(candidate)
    return len(candidate) if candidate.isdecimal() else 1


def _luhn(digits: str) -> bool:
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(n - 9 if n > 9 else n for n in doubled)) % 10 == 0  # noqa: PLR2004 (digits)


def _iban(candidate: str) -> tuple[int, int] | int:
    """Find an account number of the length that its country has, whose check digits are right."""
    length = _IBAN_LENGTHS.get(candidate[:2].upper())
    places = [place for place, character in enumerate(candidate) if character.isalnum()]
    if length is None or len(places) < length:
        return 1
    compact = "".join(candidate[place] for place in places[:length])
    number = "".join(str(int(character, 36)) for character in compact[4:] + compact[:4])
    return (0, places[length - 1] + 1) if int(number) % 97 == 1 else 1


_IBANS: Final = """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24
    FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32
    LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24
    RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
_IBAN_LENGTHS: Final = {entry[:2]: int(entry[2:]) for entry in _IBANS.split()}


def _ssn(candidate: str) -> tuple[int, int] | int:
    digits = "".join(character for character in candidate if character.isdecimal())
    area, group, serial = int(digits[:3]), int(digits[3:5]), int(digits[5:])
    valid = 0 < area < 900 and area != 666 and group and serial  # noqa: PLR2004 (areas that are never given out)
    return (0, len(candidate)) if valid else 1


def _ip_address(candidate: str) -> tuple[int, int] | int:
    """Take an address; `::` and words such as `a::b` are more often something else."""
    try:
        ipaddress.ip_address(candidate)
    except ValueError:
        return 1
    return (0, len(candidate)) if any(character.isdigit() for character in candidate) else 1


_KEY_STARTS: Final = "|".join(
    (
        r"[spr]k[-_][0-9A-Za-z_-]{16,}",  # OpenAI, Anthropic, Stripe
        r"gh[a-z]_[0-9A-Za-z]{20,}",
        r"github_pat_[0-9A-Za-z_]{20,}",
        r"glpat-[0-9A-Za-z_-]{16,}",
        r"xox[a-z]-[0-9A-Za-z-]{10,}",
        r"hf_[0-9A-Za-z]{20,}",
        r"A[KS]IA[0-9A-Z]{16}",
        r"AIza[0-9A-Za-z_-]{30,}",
        r"eyJ[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]{8,}\.[0-9A-Za-z_-]*",  # a JSON web token
    )
)

_GAP: Final = r"[\p{Zs}\p{Pd}+]"
"""What stands between groups of digits: spaces and dashes of any width, and the `+` that is a space in URLs."""
_PRIVATE_KEY: Final = rf"[A-Z\p{{Zs}}+]*PRIVATE{_GAP}KEY"
_HEX: Final = "[0-9A-Fa-f]{1,4}"
_IPV4: Final = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}"

PATTERNS: Final[Mapping[str, Pattern]] = {
    "api_key": Pattern(
        rf"(?i:\b(?:bearer|basic)[\p{{Zs}}+]+[0-9a-z._~+/-]{{16,}}=*)|\b(?:{_KEY_STARTS})"
        rf"|-----BEGIN{_GAP}{_PRIVATE_KEY}-----[^-]*(?:-----END{_GAP}{_PRIVATE_KEY}-----)?"
    ),
    "email": Pattern(r"[\pL\pM\pN._%+'-]+[@\x{FF20}\x{FE6B}](?:[\pL\pM\pN-]+\.)+[\pL\pN-]*\pL"),
    "iban": Pattern(rf"\b[A-Za-z]{{2}}[0-9]{{2}}(?:{_GAP}?[0-9A-Za-z]){{11,30}}", _iban),
    "credit_card": Pattern(
        rf"(?:\p{{Nd}}{{4}}{_GAP}){{3}}\p{{Nd}}{{1,7}}|\p{{Nd}}{{4}}{_GAP}\p{{Nd}}{{6}}{_GAP}\p{{Nd}}{{4,5}}|\p{{Nd}}{{13,}}",
        _card,
    ),
    "ip_address": Pattern(
        rf"\b{_IPV4}\b|\b(?:{_HEX}:){{7}}{_HEX}\b|\b(?:{_HEX}:){{6}}{_IPV4}\b"
        rf"|(?:\b{_HEX}(?::{_HEX}){{0,6}})?::(?:(?:{_HEX}:){{0,6}}(?:{_IPV4}|{_HEX}))?",
        _ip_address,
    ),
    "us_ssn": Pattern(rf"\b[0-8][0-9]{{2}}{_GAP}[0-9]{{2}}{_GAP}[0-9]{{4}}\b", _ssn),
    "phone": Pattern(
        r"(?:\+|\b00)[1-9](?:[\p{Zs}\p{Pd}+./()]{0,2}\p{Nd}){6,14}\b"  # with the country
        r"|\(?\b[2-9]\p{Nd}{2}\)?[\p{Zs}\p{Pd}+.][2-9]\p{Nd}{2}[\p{Zs}\p{Pd}+.]\p{Nd}{4}\b"  # North America
        r"|\b0[1-9]\p{Nd}{1,4}[\p{Zs}\p{Pd}+/]{1,2}\p{Nd}(?:[\p{Zs}\p{Pd}+/]?\p{Nd}){4,9}\b"  # with a 0
    ),
}
"""The ready patterns by name, in the order in which they are looked for: the sure ones before the vague."""
