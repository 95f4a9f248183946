"""What evaluators cost, as measured while they judge."""

_NEWEST = 0.2
"""The weight of the newest measurement: some five batches are remembered."""


class Costs:
    """Estimates how long an evaluator takes for a text, from how long it took for others.

    Times grow with the length of texts, so what is remembered is seconds for each character. Of an evaluator that has
    not been measured nothing is assumed: it costs nothing.
    """

    def __init__(self) -> None:
        self._rates: dict[str, float] = {}

    def learn(self, name: str, length: int, seconds: float) -> None:
        """Take down that an evaluator took so long for texts of so many characters, which must be more than none."""
        rate = seconds / length
        known = self._rates.get(name, rate)
        self._rates[name] = known + _NEWEST * (rate - known)

    def seconds(self, name: str, length: int) -> float:
        """Estimate the seconds of a worker's time for texts of so many characters."""
        return self._rates.get(name, 0.0) * length
