"""Texts that nobody would write, and that come all the same."""

MEGABYTE = 1_000_000
PLAIN = "The tower is 330 metres tall."
TEXTS = {
    "nothing": "",
    "white space": " \n\t\u00a0\u2003",
    "one letter": "a",
    "one digit": "7",
    "one emoji": "🙂",
    "mixed scripts": "The башня is 高い και ψηλός, نعم. " * 20,
    "control characters": "\x00\x01\x1b[31m\x7f\u202e\u200b\ufeff" * 50,
    "lone surrogates": "\ud800 tower \udfff\udfff is \ud83d tall.",
    "combining marks": "Z" + "\u0300" * 5000 + " tower.",
    "a megabyte of one word": "a" * MEGABYTE,
    "a megabyte of one word again and again": "tower " * (MEGABYTE // 6),
    "one sentence": f"{PLAIN} " * 3000,
    "full stops": ". " * 30_000,
    "lines": "-\n" * 30_000,
    "digits": "1234567890" * 5000,
}
