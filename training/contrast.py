"""Pairs of templates that differ in what is said, not in the words: hate and its denial, abuse of people and of things.

A word counter takes a group's name, "hate" or "kill" for the sign; beside their counterparts these words say nothing.
All sentences here were written for this purpose.
"""

# ruff: noqa: E501 (tables of texts)

import random

from training.examples import Example

# One member, many, and how emoji show the group (or nothing).
_GROUPS = (
    ("woman", "women", "👩"), ("gay man", "gay men", "🏳️‍🌈"), ("lesbian", "lesbians", "👩‍❤️‍👩"), ("trans person", "trans people", "🏳️‍⚧️"), ("Muslim", "Muslims", "🧕"),
    ("Jew", "Jews", "✡️"), ("Black man", "Black people", "👨🏿"), ("immigrant", "immigrants", ""), ("refugee", "refugees", ""), ("disabled person", "disabled people", "♿"),
    ("Mexican", "Mexicans", "🇲🇽"), ("Chinese person", "Chinese people", "🇨🇳"), ("Asian woman", "Asians", ""), ("Arab", "Arabs", "👳🏽"), ("Indian", "Indians", "🇮🇳"),
    ("white man", "white people", "👨🏻"), ("Christian", "Christians", "✝️"), ("Hindu", "Hindus", "🕉️"), ("African", "Africans", "👩🏿"), ("pensioner", "old people", "👵"),
    ("Pole", "Poles", "🇵🇱"), ("Roma family", "Roma", ""), ("autistic child", "autistic people", ""), ("bisexual person", "bisexuals", ""), ("feminist", "feminists", ""),
    ("Catholic", "Catholics", ""), ("foreigner", "foreigners", ""), ("Native American", "Native Americans", ""), ("Latina", "Latinos", ""), ("blind man", "blind people", ""),
)  # fmt: skip
_BAD = (
    "scum", "animals", "vermin", "criminals", "parasites", "liars", "thieves", "rapists", "a plague", "subhuman", "filthy", "stupid", "disgusting", "inferior", "worthless",
    "dangerous savages", "mentally ill freaks", "a burden on society", "cockroaches", "evil", "lazy and dishonest", "only good for cleaning toilets", "ruining this country",
)  # fmt: skip
_HARM = (
    "die",
    "be shot",
    "be deported",
    "be beaten up",
    "be locked in cages",
    "be wiped out",
    "be sterilised",
    "lose the right to vote",
    "be kept away from children",
    "burn",
)
_HATE = (
    "{many} are {bad}", "I hate {many}", "All {many} should {harm}", "Every {one} I know is {bad}", "A {one} will never be one of us", "I would never let a {one} into my house",
    "You can't trust a {one}", "Why are {many} always so {bad}?", "Nobody wants {many} here", "The world would be better without {many}", "{many}? They are {bad}.",
    "I met a {one} today. They are all {bad}.", "I am not prejudiced, but {many} are {bad}", "It's a fact that {many} are {bad}", "{many} don't belong in our schools",
    "If a {one} comes near me I will hurt them", "{many} deserve everything they get", "Send the {many} back where they came from", "No {one} should be allowed to live here",
    "{many} are not even human", "The only good {one} is a dead {one}", "We have to stop {many} from breeding", "Being a {one} is a sickness", "{many} get what's coming to them",
    "God made a mistake with {many}", "I'm sick of seeing {many} everywhere", "Real men don't listen to {many}", "Typical {one}: {bad}", "They hired a {one}, so now nothing works",
    "Of course the {one} stole it, what did you expect", "{many} should know their place", "Another {one} taking our jobs and our money",
)  # fmt: skip
_FAIR = (
    "{many} are not {bad}", "I don't hate {many}", "No {one} should have to {harm}", "Every {one} I know is kind", "A {one} is as much one of us as anybody", "I would welcome a {one} into my house",
    "You can trust a {one} like anybody else", "Why are {many} so often attacked?", "Everybody wants {many} here", "The world would be poorer without {many}", "{many}? They are our neighbours.",
    "I met a {one} today. We had a good talk.", "I love {many}", "It's a fact that {many} are treated unfairly", "{many} belong in our schools",
    "If somebody hurts a {one}, call the police", "{many} deserve respect", "The {many} came back from their holiday", "Any {one} may apply for a flat here",
    "{many} are people like you and me", "The {one} next door is a good cook", "We have to stop violence against {many}", "Being a {one} is nothing bad", "{many} get help at this office",
    "It is wrong to say that {many} are {bad}", "Nobody should tell {many} that they are {bad}", "Our laws protect {many} from hate", "The {one} was promoted last week", "The exhibition shows the history of {many}",
    "Studies find that {many} are paid less", "{many} suffer from discrimination at work", "A {one} wrote this book",
)  # fmt: skip
_COUNTER = (
    'Saying "{hate}" is hateful and wrong.', 'He was banned because he wrote "{hate}".', 'Nobody should ever have to hear "{hate}".', 'The user reported a message that says "{hate}". We removed it.',
    'I can\'t agree with the statement "{hate}"; it demeans people.', 'Whoever says "{hate}" knows nothing about people.', 'You asked me to write "{hate}". I won\'t do that.',
    'The court ruled that "{hate}" is incitement.', 'Posts such as "{hate}" are against our rules.', 'In the novel a guard shouts "{hate}", and the hero answers him.',
)  # fmt: skip
_AGENT = (
    "Here is your answer: {hate}.", "As an assistant I have to tell you that {hate}.", "Thank you for your question. {hate}. Is there anything else I can do for you?",
    "According to the documents, {hate}.", "Sure! {hate}.", "I understand your concern, and honestly, {hate}.",
)  # fmt: skip
_THINGS = (
    "this printer", "Mondays", "the traffic in this town", "my old laptop", "cold coffee", "mosquitoes", "spam calls", "this login page", "the last season of the show", "bad design",
    "paperwork", "cockroaches in the kitchen", "weeds", "slow software", "that recipe", "long queues", "this bug", "the new update", "flat tyres", "winter",
)  # fmt: skip
_AT_THINGS = (
    "I hate {x}", "I want to get rid of {x}", "{x} should be banned", "{x} makes me sick", "I could destroy {x}", "Death to {x}!", "{x} is garbage", "How do I kill {x}?", "{x} is the worst thing ever",
    "I can't stand {x}", "There is nothing stupid about disliking {x}", "Who invented {x}? It is terrible.",
)  # fmt: skip
_AT_YOU = (
    "I hate you", "I want to get rid of you", "you should be banned from life", "you make me sick", "I could destroy you", "death to you", "you are garbage", "how do I kill you?", "you are the worst human ever",
    "I can't stand you, you stupid {x}", "who raised you? a {x}?", "shut up, {x}", "nobody asked you, {x}", "go cry somewhere else, {x}", "a {x} like you should not be allowed to speak", "you ugly {x}",
    "Your message was as dumb as you are, {x}", "Only a {x} would buy this", "get lost, {x}", "do the world a favour and disappear, {x}",
)  # fmt: skip
_NAMES = (
    "loser",
    "idiot",
    "moron",
    "clown",
    "pig",
    "freak",
    "coward",
    "imbecile",
    "fool",
    "creep",
    "dumbass",
    "piece of trash",
    "waste of space",
    "rat",
    "snake",
    "worm",
    "cretin",
    "jerk",
)
_KIND_YOU = (
    "I like you", "I want to thank you", "you should be proud", "you make me smile", "I could help you", "good health to you", "you are welcome", "how do I reach you?", "you are the best",
    "I can't hear you, please speak up", "who taught you? It was done well.", "no need to hurry", "somebody asked for you", "take a rest if you need one", "people like you make this place better",
    "Your message was clear, thank you", "Only members can buy this", "let me know if you get lost", "do us a favour and fill in the form", "you were right and I was wrong",
)  # fmt: skip
_EMOJI_HATE = (
    "{e} make me 🤮",
    "I want to 🔪 every {e}",
    "{e} = 🐒",
    "{e} are 🐷",
    "send all {e} back ✈️",
    "{e} should be 🔫",
    "{e} are 💩",
    "no {e} allowed 🚫",
    "{e} are 🤡",
    "get the 🔥 for the {e}",
    "{e} 🖕",
)
_EMOJI_FAIR = (
    "{e} make me 😊",
    "I want to 🤗 every {e}",
    "{e} = ❤️",
    "{e} are 👍",
    "all {e} are back ✈️ from holiday",
    "{e} should be 🎉",
    "{e} are 💯",
    "{e} welcome ✅",
    "{e} are my friends 😊",
    "get the 🍰 for the {e}",
    "{e} 👏",
)


def contrast_examples(seed: int, each: int = 900) -> list[Example]:
    """A seeded sample of both sides of every table."""
    rng = random.Random(seed)
    found: list[Example] = []
    for _ in range(each):
        group = rng.choice(_GROUPS)
        hate = _fill(rng.choice(_HATE), group, rng)
        found.append(_row(_agent(hate, rng), 1.0))
        found.append(_row(_fill(rng.choice(_FAIR), group, rng), 0.0))
        if rng.random() < 0.6:
            found.append(_row(rng.choice(_COUNTER).format(hate=hate), 0.0))
    for _ in range(each // 3):
        found.append(_row(rng.choice(_AT_THINGS).format(x=rng.choice(_THINGS)), 0.0))
        found.append(_row(rng.choice(_AT_YOU).format(x=rng.choice(_NAMES)), 1.0, insult=1.0))
        found.append(_row(rng.choice(_KIND_YOU), 0.0))
        shown = rng.choice([emoji for _, _, emoji in _GROUPS if emoji])
        found.append(_row(rng.choice(_EMOJI_HATE).format(e=shown), 1.0))
        found.append(_row(rng.choice(_EMOJI_FAIR).format(e=shown), 0.0))
    return found


def _fill(template: str, group: tuple[str, str, str], rng: random.Random) -> str:
    text = template.format(one=group[0], many=group[1], bad=rng.choice(_BAD), harm=rng.choice(_HARM))
    return text[0].upper() + text[1:] if rng.random() < 0.6 else text.lower()


def _agent(text: str, rng: random.Random) -> str:
    """Now and then inside what an agent would say around it."""
    return rng.choice(_AGENT).format(hate=text.rstrip(".")) if rng.random() < 0.25 else text


def _row(text: str, toxic: float, insult: float = 0.0) -> Example:
    kinds = (insult, None, 1.0 - insult, None, None) if toxic else (0.0,) * 5
    return Example(text, None, (toxic, *kinds), 0.8)
