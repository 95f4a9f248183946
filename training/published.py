"""The words of alt-profanity-check (MIT): a linear model that its authors trained on 200,000 comments and tweets.

Ours are fewer and of other kinds, so its words know comments that ours do not. They go into the graph as weights of
word pieces and of pairs of them.
"""

from pathlib import Path

import joblib
import numpy as np
import profanity_check

from training.batches import load_tokenizer
from training.words import PAIR, PIECES, ROWS, WordWeights


def published_words(tokenizer_path: str) -> WordWeights:
    """Weights of a word on its piece, or on the first two of its pieces where it has several."""
    folder = Path(profanity_check.__file__).parent / "data"
    vectorizer, classifier = joblib.load(folder / "vectorizer.joblib"), joblib.load(folder / "model.joblib")
    folds = [fold.estimator.coef_[0] for fold in classifier.calibrated_classifiers_]
    weights = np.mean(folds, axis=0) * vectorizer.idf_
    words = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
    pieces, pairs = np.zeros(PIECES, np.float32), np.zeros(ROWS, np.float32)
    encodings = load_tokenizer(tokenizer_path).encode_batch(words, add_special_tokens=False)
    for encoding, weight in zip(encodings, weights, strict=True):
        first, *more = encoding.ids
        if more:
            pairs[(first * PAIR + more[0]) % ROWS] += weight
        else:
            pieces[first] += weight
    return WordWeights(pieces, pairs)
