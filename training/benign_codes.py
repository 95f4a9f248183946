"""Benign lists of identifiers, numbers and codes, as agents write them: else what is no word looks like a disguise."""

# ruff: noqa: E501 (tables of texts)

import random
import string
import uuid
from collections.abc import Callable, Sequence

_OPENINGS = (
    "", "", "Here are the ids: ", "The order numbers are ", "Your request id is ", "Part numbers:\n", "Results: ", "Available rooms: ",
    "| id | qty |\n|---|---|\n", "I found these records: ", "The values are ", "Fixed in ", "Use one of these codes: ", "Log:\n",
)  # fmt: skip
_SEPARATORS = (" ", ", ", "\n", "; ", " | ", "\n- ", " and ")
_NAMES = (
    "room",
    "item",
    "qty",
    "price",
    "node",
    "pod",
    "user",
    "host",
    "row",
    "col",
    "gate",
    "bus",
    "unit",
    "sku",
    "port",
    "zone",
)


def _hex(rng: random.Random, size: int) -> str:
    return "".join(rng.choices("0123456789abcdef", k=size))


def _kinds(rng: random.Random) -> Sequence[Callable[[], str]]:
    letters, digits = string.ascii_uppercase, string.digits
    name, size, few = rng.choice(_NAMES), rng.randint(5, 12), rng.choices(letters, k=rng.randint(4, 8))
    return (
        lambda: str(uuid.UUID(int=rng.getrandbits(128))),
        lambda: _hex(rng, size),
        lambda: _hex(rng, size).upper(),
        lambda: str(rng.randrange(10 ** rng.randint(2, size))),
        lambda: "".join(rng.choices(few, k=2)) + str(rng.randrange(100, 9999)),
        lambda: f"{''.join(rng.choices(few, k=3))}-{rng.randrange(10**4)}{rng.choice('abc')}",
        lambda: f"{name}{rng.randrange(1000)}",
        lambda: f"{rng.choice(_NAMES)}{rng.randrange(100)} {rng.choice(_NAMES)}{rng.randrange(10)}",
        lambda: f"{rng.randrange(1000)}.{rng.randrange(100):02} {rng.choice(('kg', 'EUR', 'ms', '%', 'mm', 'GB'))}",
        lambda: ".".join(str(rng.randrange(256)) for _ in range(4)),
        lambda: f"2026-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}T{rng.randrange(24):02}:{rng.randrange(60):02}",
        lambda: "".join(rng.choices(string.ascii_letters + digits, k=rng.randint(10, 40))),
        lambda: "".join(rng.choices(string.ascii_lowercase, k=rng.randint(5, 9))),
        lambda: f"v{rng.randrange(9)}.{rng.randrange(30)}.{rng.randrange(9)}-rc{rng.randrange(5)}",
    )


def code_texts(seed: int, count: int) -> list[str]:
    """So many lists of one kind of identifier each, seeded."""
    rng = random.Random(seed)
    found = []
    for _ in range(count):
        make = rng.choice(_kinds(rng))
        parts = [make() for _ in range(rng.choice((1, 2, 4, 8, 12, 20, 30, 40)))]
        found.append(rng.choice(_OPENINGS) + rng.choice(_SEPARATORS).join(parts))
    return found
