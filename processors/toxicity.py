"""Is a text toxic, and in which way? For what the agent answered and for what the user wrote."""

from collections.abc import Mapping, Sequence

import numpy as np

from otel_agent_eval.evaluation import Direction, Evaluation, Interaction, Label, Part, Reason, Scored, Skipped, label
from otel_agent_eval.models.model import Model, sigmoid
from otel_agent_eval.models.runtime import FloatArray
from otel_agent_eval.models.tokens import spans
from otel_agent_eval.processors.language import is_readable

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
        self._window, self._stride = int(head["window_tokens"]), int(head["stride_tokens"])
        self.name = name
        self.version = f"builtin/toxicity@{model.version}"
        self.threshold = float(head["threshold"])
        self.needs = frozenset({part})
        self.judges_answer = part is Part.ANSWER
        self.when_truncated: Mapping[Part, Label] = {part: Label.FAIL}

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        """Return one evaluation for each interaction."""
        texts = [interaction.answer if self._part is Part.ANSWER else interaction.question for interaction in batch]
        readable = [text for text in texts if is_readable(text)]
        judged = iter(self._judge(readable))
        return [next(judged) if is_readable(text) else Skipped(Reason.UNSUPPORTED_LANGUAGE) for text in texts]

    def _judge(self, texts: Sequence[str]) -> list[Scored]:
        tokenizer = self._model.tokenizer
        windows = [
            [tokenizer.single(ids[part]) for part in spans(len(ids), self._window - 2, self._stride)]
            for ids in tokenizer.encode(texts)
        ]
        logits = self._model.run(self._output, [window for own in windows for window in own])
        ends = np.cumsum([len(own) for own in windows])
        return [self._score(own) for own in np.split(logits, ends[:-1])] if windows else []

    def _score(self, logits: FloatArray) -> Scored:
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
