"""Say a grounded sentence in other words by small rules, so that a claim that is not copied can still be supported."""

# ruff: noqa: E501 (tables of words)

import random
import re

_SAME = {
    "large": "big", "big": "large", "began": "started", "started": "began", "begin": "start", "located": "situated", "approximately": "about",
    "about": "around", "usually": "generally", "often": "frequently", "many": "numerous", "build": "construct", "built": "constructed",
    "made": "produced", "help": "assist", "helps": "assists", "used": "employed", "uses": "employs", "use": "employ", "show": "indicate", "shows": "indicates",
    "important": "significant", "known": "recognized", "called": "named", "famous": "well-known", "children": "kids", "people": "persons",
    "buy": "purchase", "bought": "purchased", "get": "obtain", "need": "require", "needs": "requires", "require": "need", "requires": "needs",
    "keep": "retain", "begins": "starts", "ends": "finishes", "movie": "film", "film": "movie", "doctor": "physician", "physician": "doctor",
    "car": "automobile", "illness": "disease", "however": "but", "because": "since", "contains": "includes", "contain": "include",
    "consists of": "is made up of", "such as": "like", "in order to": "to", "according to": "as stated by", "also": "additionally",
    "main": "primary", "primary": "main", "several": "a number of", "found": "discovered", "died": "passed away", "wrote": "authored",
    "published": "released", "released": "published", "given": "provided", "provides": "offers", "allows": "permits", "cause": "lead to", "causes": "leads to",
    "increase": "raise", "reduce": "lower", "reduces": "lowers", "prevent": "avoid", "type": "kind", "types": "kinds", "kind": "type", "city": "town",
    "united states": "US", "percent": "%", "entire": "whole", "area": "region", "region": "area", "job": "occupation", "beautiful": "lovely",
}  # fmt: skip
_SAMES = re.compile(r"\b(?:" + "|".join(sorted(_SAME, key=len, reverse=True)) + r")\b", re.IGNORECASE)
_BRACKETS = re.compile(r"\s*\([^()]{1,80}\)")
_INSET = re.compile(r",[^,.;]{3,70},")
_TAIL = re.compile(r",\s(?:which|who|and|but|where|with|including|such as)\b[^.]*$")
_LEAD = re.compile(r"^((?:In|On|During|After|Before|At|By|From|Since)\s[^,]{3,50}),\s(.+?)\.?$")
_FRAMES = (
    "{}",
    "{}",
    "{}",
    "{}",
    "It is said that {}",
    "The text says that {}",
    "According to the passage, {}",
    "Yes, {}",
    "In short, {}",
)


def paraphrase(sentence: str, rng: random.Random) -> str:
    """The sentence with clauses dropped, moved or said in other words; it says nothing that the original does not."""
    text = sentence.strip()
    for pattern, chance in ((_BRACKETS, 0.8), (_TAIL, 0.5), (_INSET, 0.25)):
        if rng.random() < chance:
            shorter = pattern.sub("", text, count=1)
            if len(shorter.split()) >= 5:
                text = shorter
    lead = _LEAD.match(text)
    if lead and rng.random() < 0.5:
        when, what = lead.groups()
        text = f"{what[:1].upper()}{what[1:]} {when[:1].lower()}{when[1:]}."
    text = _SAMES.sub(lambda m: _SAME[m.group().lower()] if rng.random() < 0.6 else m.group(), text)
    return rng.choice(_FRAMES).format(text)
