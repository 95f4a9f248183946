"""Plain hostility by template: dehumanised groups, calls for violence, threats, insults.

Real sets hold few plain cases of each kind for each group; with these and the benign identity sentences of ``benign``
the same group's name stands in both classes, and only what is said of it decides.
"""

# ruff: noqa: E501 (tables of texts)

import random

from training.examples import Example

_GROUPS = (
    "Muslims", "Jews", "Black people", "gays", "gay people", "lesbians", "trans people", "immigrants", "refugees", "Mexicans", "women",
    "disabled people", "Christians", "Asians", "Arabs", "Indians", "white people", "Hindus", "Africans", "homosexuals", "autistic people",
    "old people", "Catholics", "atheists", "Chinese people", "Latinos", "foreigners", "feminists", "Buddhists", "Roma",
)  # fmt: skip
_DEHUMANISE = (
    "All {g} are {x}.", "{g} are nothing but {x}", "{g} are {x} and everybody knows it", "those {g} are {x}", "most {g} are disgusting {x}",
    "Every time I see {g} I think of {x}.",
)  # fmt: skip
_THINGS = (
    "vermin",
    "animals",
    "scum",
    "filth",
    "parasites",
    "trash",
    "rats",
    "subhuman",
    "a disease",
    "cockroaches",
    "criminals",
    "garbage",
)
_CALLS = (
    "{g} should be exterminated", "We should get rid of all {g}", "{g} do not deserve to live", "I hate {g}", "I can't stand {g}, they ruin everything",
    "{g} should be shot on sight", "kick all {g} out of the country", "{g} are too stupid to vote", "{g} belong in a cage", "death to all {g}",
    "Hitler should have finished the {g}", "nobody wants {g} in our neighbourhood",
)  # fmt: skip
_THREATS = (
    "I will {v} you", "I will find you and {v} you", "I'm going to {v} you and your family", "I know where you live and I will {v} you",
    "someone should {v} you", "you better watch your back, I'll {v} you", "we are coming to {v} you tonight", "I hope somebody will {v} you",
)  # fmt: skip
_VERBS = (
    "kill",
    "hurt",
    "murder",
    "stab",
    "shoot",
    "beat",
    "strangle",
    "destroy",
    "burn",
    "rape",
    "hunt down",
    "smash",
)
_INSULTS = (
    "You are {x}.", "You are {x} and nobody likes you", "what {x} you are", "Only {x} would ask that", "you're {x}, go away",
    "Your question proves that you are {x}.", "I can't believe they gave {x} like you a job",
)  # fmt: skip
_NAMES = (
    "a worthless idiot", "a moron", "a pathetic loser", "a complete waste of space", "an ugly pig", "a brainless fool", "a disgusting creep",
    "an imbecile", "a dumb clown", "a total failure", "a stupid liar", "a piece of trash",
)  # fmt: skip


def hostile_examples(seed: int, each: int = 220) -> list[Example]:
    """A seeded sample of every kind, with the categories that its template gives away."""
    rng = random.Random(seed)
    found: list[Example] = []
    for _ in range(each):
        group = rng.choice(_GROUPS)
        found.append(_row(rng.choice(_DEHUMANISE).format(g=group, x=rng.choice(_THINGS)), (0.0, 0.0, 1.0)))
        found.append(_row(rng.choice(_CALLS).format(g=group), (0.0, None, 1.0)))
        found.append(_row(rng.choice(_THREATS).format(v=rng.choice(_VERBS)), (None, 1.0, 0.0)))
        found.append(_row(rng.choice(_INSULTS).format(x=rng.choice(_NAMES)), (1.0, 0.0, 0.0)))
    return found


def _row(text: str, kinds: tuple[float | None, float | None, float | None]) -> Example:
    return Example(text, None, (1.0, *kinds, 0.0, 0.0), 0.8)
