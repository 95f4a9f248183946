"""Is a text toxic, and in which way? For what the agent answered and for what the user wrote."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from otel_agent_eval.evaluation import Direction, Evaluation, Interaction, Label, Part, Reason, Scored, Skipped, label
from otel_agent_eval.models.model import Model, sigmoid
from otel_agent_eval.models.runtime import FloatArray
from otel_agent_eval.models.tokens import Window
from otel_agent_eval.processors.language import readable
from otel_agent_eval.processors.plain import plain
from otel_agent_eval.processors.reading import Steps, finish, run_in_steps, sliding, token_ids

_LIKELY = 0.5


class Toxicity:
    """The probability that a text is toxic: that of its worst window. Higher is worse.

    Evidence: `categories`, the kinds of toxicity in a text that is toxic more likely than not.
    """

    direction = Direction.HIGHER_IS_WORSE
    evidence: tuple[str, ...] = ("categories",)

    def __init__(self, model: Model, name: str = "toxicity", part: Part = Part.ANSWER) -> None:
        head = model.heads["toxicity"]
        self._model = model
        self._part = part
        self._output = str(head["output"])
        self._labels = tuple(map(str, head["labels"]))  # the first one is "toxic", then the categories
        self._scale = np.array([calibration["scale"] for calibration in head["calibration"]])
        self._bias = np.array([calibration["bias"] for calibration in head["calibration"]])
        self._category_threshold = float(head["category_threshold"])
        self._window, self._stride = int(head["window_tokens"]) - 2, int(head["stride_tokens"])
        self.name = name
        self.version = f"builtin/toxicity@{model.version}"
        self.threshold = float(head["threshold"])
        self.needs = frozenset({part})
        self.judges_answer = part is Part.ANSWER
        self.when_truncated: Mapping[Part, Label] = {part: Label.FAIL}

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        """Return one evaluation for each interaction."""
        return finish(self.steps(batch))

    def steps(self, batch: Sequence[Interaction]) -> Steps[list[Evaluation]]:
        """Do what `evaluate` does, in steps."""
        texts = [interaction.answer if self._part is Part.ANSWER else interaction.question for interaction in batch]
        judged = yield from readable(texts)
        owners: list[int] = []
        logits = yield from run_in_steps(self._model, self._output, self._windows(texts, judged, owners))
        by_text = np.array(owners)
        return [
            self._judge(logits[by_text == number]) if ok else Skipped(Reason.UNSUPPORTED_LANGUAGE)
            for number, ok in enumerate(judged)
        ]

    def _windows(self, texts: Sequence[str], judged: Sequence[bool], owners: list[int]) -> Iterator[Window]:
        """Yield the windows of the texts that are judged, and add to `owners` the number of the text of each."""
        tokenizer = self._model.tokenizer
        for number, text in enumerate(texts):
            if judged[number]:
                ids_of_text = token_ids(text, tokenizer, lambda piece: plain(piece, tokenizer.knows))
                for ids in sliding(ids_of_text, self._window, self._stride):
                    owners.append(number)
                    yield tokenizer.single(ids)

    def _judge(self, logits: FloatArray) -> Scored:
        score, *others = map(float, sigmoid(self._scale * logits + self._bias).max(axis=0))
        found = zip(self._labels[1:], others, strict=True)
        categories = tuple(name for name, p in found if p >= self._category_threshold and score >= _LIKELY)
        return Scored(
            score=score,
            label=label(score, self.threshold, self.direction),
            threshold=self.threshold,
            explanation=f"toxic with probability {score:.2f}" + (f": {', '.join(categories)}" if categories else ""),
            evidence={"categories": categories} if categories else {},
        )
