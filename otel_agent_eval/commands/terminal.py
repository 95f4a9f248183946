"""What somebody else wrote, on a terminal."""


def visible(text: str) -> str:
    """Return a text in which nothing steers the terminal: control and invisible characters are written out."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def shortened(text: str, limit: int) -> str:
    """Return at most `limit` characters of a text, and how many more there are."""
    return text if len(text) <= limit else f"{text[:limit]}… (+{len(text) - limit} characters)"
