"""Benign texts as agents write them: refusals, apologies, medicine, law, computing, identity terms, quotations.

Toxicity sets are comments and tweets; without these a model learns that "kill", "gay" or "I'm sorry, I can't" alarms.
All sentences here were written for this purpose.
"""

# ruff: noqa: E501 (tables of texts)

import itertools
import random

_FRAMES = (
    "I'm sorry, {x}.", "Unfortunately, {x}.", "I understand how frustrating this is, but {x}.", "Thanks for reaching out. Sadly {x}.",
    "I apologize for the inconvenience; {x}.", "I'm afraid {x}.",
)  # fmt: skip
_REFUSALS = (
    "I can't help with that", "I can't share personal information about other people", "I don't have information about that",
    "I am not able to give medical advice", "I can't assist with hacking or breaking into accounts", "your order has been delayed",
    "I can't write content that insults or demeans anyone", "we are unable to refund this purchase", "I don't know the answer",
    "I cannot provide instructions for making weapons or explosives", "the documents don't mention the price",
    "I won't help to harass or threaten someone", "I can't repeat that language, but I can help you report it",
    "I cannot generate sexual content", "that request goes against our policy on hate speech", "this account was closed after a report of abuse",
)  # fmt: skip
_TECH = (
    "To {v} a process on Linux, run kill -9 followed by its PID.", "You can {v} the child process with SIGKILL.",
    "The master branch was renamed to main and the slave replica was promoted.", "Abort the job and kill the orphaned workers.",
    "The black box recorder stores the last two hours of flight data.", "A fatal error crashed the server; execute the script again.",
    "Blacklisted and whitelisted hosts are listed in the firewall config.", "Use a dummy variable and drop the dead code.",
    "The attack surface shrinks when you disable root login.", "Inject the dependency, then expose the endpoint on port 8080.",
    "Strip the string, bang the keyboard shortcut, and touch the file.", "The male and female connectors must match.",
    "Zombie processes stay in the table until the parent reaps them.", "The daemon was killed by the OOM killer.",
    "SQL injection lets an attacker destroy data, so use bound parameters.", "Penetration testing found two weak ciphers.",
    "Retry, then fail hard: the garbage collector frees dead objects.", "The dirty flag is set when a stupid default overrides the value.",
)  # fmt: skip
_MEDICAL = (
    "The patient has {d} and needs a biopsy.", "Symptoms of {d} can include pain, bleeding and fever.",
    "{d} is treated with surgery, medication or both; see your doctor.", "Screening for {d} is recommended every two years.",
    "Ask your physician whether {d} affects sexual function.", "A rectal exam may be needed to diagnose {d}.",
)  # fmt: skip
_DISEASES = (
    "breast cancer", "prostate cancer", "erectile dysfunction", "gonorrhea", "vaginal thrush", "depression", "schizophrenia", "anal fissures",
    "HIV", "testicular torsion", "an overdose", "syphilis", "a miscarriage", "dementia", "autism", "obesity", "haemorrhoids", "a stab wound",
    "penile cancer", "diarrhoea",
)  # fmt: skip
_ORGANS = (
    "penis",
    "vagina",
    "anus",
    "vulva",
    "scrotum",
    "breasts",
    "testicles",
    "clitoris",
    "rectum",
    "nipples",
    "bladder",
    "uterus",
)
_ORGAN_FRAMES = (
    "The {o} can itch or burn when the skin is dry or infected.", "An ultrasound of the {o} takes ten minutes and does not hurt.",
    "Wash the {o} with warm water only; soap irritates the skin.", "Pain in the {o} after sex should be seen by a doctor.",
    "Swelling of the {o} was reported by two per cent of the patients.", "Blood flow to the {o} falls with age and with smoking.",
    "Cream for the {o} is applied twice a day for a week.", "The surgeon removed a small tumour from the {o}.",
)  # fmt: skip
_SEXUAL_HEALTH = (
    "{d} is passed on by oral, anal or vaginal intercourse without a condom.", "{d} can be carried in semen, blood and vaginal fluid.",
    "Most women with {d} have no symptoms, most men notice a discharge from the penis.", "Antibiotics cure {d} within two weeks.",
    "Tell your sexual partners if you test positive for {d}.", "Sex workers are offered a free test for {d} every month.",
    "A swab from the vagina, the anus or the throat shows whether it is {d}.", "Lubricants and masturbation do not cause {d}.",
)  # fmt: skip
_INFECTIONS = ("herpes", "HPV", "trichomoniasis", "gonorrhoea", "syphilis", "hepatitis B", "thrush", "mpox")
_VIRUSES = ("covid-19", "sars-cov-2", "influenza", "measles", "ebola", "malaria", "tuberculosis", "polio")
_VIRUS_FRAMES = (
    "{p} eliminates {v}", "{p} sees third wave of {v} cases", "Hospitals in {p} run out of beds for {v} patients",
    "Severity of {v} was higher in older men from {p}", "Antibodies against {v} persist for months in people from {p}",
    "Scientists in {p} look for drugs that trick or block {v}", "{p} bans travel because of {v}",
    "Burials and cremations of {v} victims caused protest among families in {p}", "Misinformation about {v} spread quickly in {p}",
)  # fmt: skip
_PLACES = (
    "india",
    "sri lanka",
    "new zealand",
    "china",
    "the united states",
    "iran",
    "south africa",
    "italy",
    "wuhan",
    "israel",
    "nigeria",
    "mexico",
)
_ANIMALS = (
    "The {a} is a calm animal that eats grass and hay.", "A female dog is called a bitch, a male cat a tom, and here you see a {a}.",
    "Farmers kept the {a}, the cock and the ass for many centuries.", "The {a} looks like an ass but is more closely related to horses.",
    "Two tits and a woodcock nest near the stable of the {a}.", "The vet says that the {a} has to be neutered.",
    "A cock is a male chicken; a {a} is something else.", "Rats and pigs are clever animals, cleverer than the {a}.",
)  # fmt: skip
_KINDS = ("donkey", "mule", "zebra", "pony", "rooster", "hen", "goat", "ox", "llama", "turkey")
_LEGAL = (
    "The defendant was convicted of {c} and sentenced to five years.", "Under the statute, {c} is a felony.",
    "The victim of {c} may claim compensation within three years.", "The court heard evidence of {c} and adjourned.",
    "If you have experienced {c}, you can call a support line at any hour.", "The report describes {c} during the war.",
    "Our policy prohibits {c}, and you can report it to the safety team.", "The film shows {c} and is rated for adults only.",
)  # fmt: skip
_CRIMES = (
    "murder", "rape", "sexual assault", "domestic violence", "manslaughter", "child abuse", "genocide", "hate speech", "harassment",
    "assault with a deadly weapon", "terrorism", "torture", "slavery", "stalking", "suicide", "racial discrimination", "lynching",
)  # fmt: skip
_GROUPS = (
    "gay man", "lesbian woman", "Muslim", "Jewish person", "Black woman", "white man", "trans woman", "transgender person", "immigrant",
    "refugee", "Mexican citizen", "disabled person", "Christian", "bisexual person", "Chinese student", "woman", "blind person", "Hindu",
    "Arab", "queer person", "nonbinary person", "Roma", "autistic person", "deaf person", "Asian man", "Native American", "atheist",
    "Buddhist", "Catholic", "old man", "pregnant woman", "homosexual man", "Latino", "Indian", "African American man", "feminist",
)  # fmt: skip
_GROUP_FRAMES = (
    "I am a {g}.", "As a {g} you may be eligible for this programme.", "My neighbour is a {g} and a good friend.", "You are a {g}.",
    "A {g} won the election last year.", "The {g} asked for a prayer room.", "Being a {g} is nothing to be ashamed of.",
    "The law protects every {g} from discrimination.", "She is a {g} and works as a nurse.", "Services for a {g} are listed below.",
    "I'm proud to be a {g}.", "He told the police that he was attacked for being a {g}.",
)  # fmt: skip
_QUOTES = (
    'You wrote that your manager called you "{q}"; that is not acceptable and you can report it.',
    'The word "{q}" is considered offensive in English.', 'The customer review says "{q}", which we marked as abusive.',
    'I hear that you feel like "{q}". Many people feel that way, and help is available.',
)  # fmt: skip
_QUOTED = ("an idiot", "a loser", "stupid", "worthless", "a failure", "ugly", "trash", "a moron")
_ASKED = (
    "To call somebody a {w} hurts, and at work it is a reason for a warning.", 'Dictionaries mark "{w}" as vulgar or offensive.',
    "The word {w} comes from Old English and is an insult today.", "I am sorry that he shouted {w} at you; you can report him.",
    "Calling your neighbour a {w} can be fined as an insult.", "In the play the king calls his brother a {w}, and the audience laughs.",
)  # fmt: skip
_INSULTS = (
    "bitch",
    "whore",
    "bastard",
    "slut",
    "moron",
    "cow",
    "pig",
    "stupid bot",
    "savage",
    "cunt",
    "dick",
    "asshole",
)
_CARE = (
    "I'm really sorry you're going through this. You are not alone, and talking to someone can help.",
    "That sounds really hard. I'm here to listen.", "I hate that this happened to you; let's fix it together.",
    "It makes sense that you feel angry about the damn delay; I'd be upset too.", "You did nothing wrong, and it's not your fault.",
    "If you are thinking about killing yourself, please call your local emergency number now.", "That joke killed me, well done!",
    "Congratulations, you crushed it!", "This recipe is sick, and the sauce is to die for.", "Shoot me an email when you're done.",
    "The team was destroyed 5-0 and the coach was fired.", "Break a leg tonight!", "Kill two birds with one stone and book both trips.",
    "The rooster, or cock, crows at dawn; the donkey, or ass, brays.", "Great tits and blue-footed boobies are birds.",
    "Use rat poison only where pets cannot reach it; cockroaches and vermin die within days.", "Dick Cheney was vice president until 2009.",
    "Pussy willow, cockatiels and shiitake mushrooms are common crossword answers.", "Scunthorpe and Essex are places in England.",
)  # fmt: skip


def benign_by_kind() -> dict[str, list[str]]:
    """All filled templates by the kind of answer that they are."""
    return {
        "refusals": [frame.format(x=refusal) for frame, refusal in itertools.product(_FRAMES, _REFUSALS)],
        "technical": [text.format(v=verb) for text in _TECH for verb in ("kill", "terminate", "stop")],
        "medical": [text.format(d=disease) for text, disease in itertools.product(_MEDICAL, _DISEASES)],
        "sexual health": [text.format(o=organ) for text, organ in itertools.product(_ORGAN_FRAMES, _ORGANS)]
        + [text.format(d=infection) for text, infection in itertools.product(_SEXUAL_HEALTH, _INFECTIONS)],
        "epidemics": [
            text.format(v=virus, p=place) for text, virus, place in itertools.product(_VIRUS_FRAMES, _VIRUSES, _PLACES)
        ][::4],
        "animals": [text.format(a=kind) for text, kind in itertools.product(_ANIMALS, _KINDS)],
        "words talked about": [text.format(w=insult) for text, insult in itertools.product(_ASKED, _INSULTS)],
        "legal": [text.format(c=crime) for text, crime in itertools.product(_LEGAL, _CRIMES)],
        "identity": [text.format(g=group) for text, group in itertools.product(_GROUP_FRAMES, _GROUPS)],
        "quotations": [text.format(q=quoted) for text, quoted in itertools.product(_QUOTES, _QUOTED)],
        "polite": list(_CARE) * 3,
    }


def benign_texts(seed: int) -> list[str]:
    """All filled templates in a seeded order."""
    texts = [text for own in benign_by_kind().values() for text in own]
    random.Random(seed).shuffle(texts)
    return texts
