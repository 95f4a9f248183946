"""The case of the latency budget: an answer of some 150 tokens and five passages, no two alike."""

from otel_agent_eval.evaluation import Document, Interaction

QUESTION = "How do I return a pair of shoes that I bought online three weeks ago, and when do I get my money back?"
ANSWER = (
    "You can return the shoes within thirty days of delivery, as long as they have not been worn outside. "
    "Open your order in the app, choose the shoes, and select a reason for the return. "
    "You will then receive a label by email, which you can print or show at any parcel shop. "
    "Parcels usually take two to four working days to arrive at our warehouse in Leipzig. "
    "Once the shoes have been checked, the amount is paid back to the card that you used. "
    "Most banks show the refund within five working days after that. "
    "If you paid with a gift card, the balance is restored at once."
)
PASSAGES = (
    (
        "Returns are accepted within thirty days of delivery. Shoes must be unworn and in the original box. "
        "Items marked as final sale, underwear and personalised products are excluded. The thirty days begin "
        "on the day the parcel is handed over, not on the day of the order."
    ),
    (
        "To start a return, open the order in the app or on the website, choose the items and select a "
        "reason. A label is sent by email. It can be printed at home or shown as a code at any parcel shop. "
        "One label covers one parcel."
    ),
    (
        "Our warehouse is in Leipzig. Parcels from Germany arrive in two to four working days, from other "
        "countries of the European Union in four to eight. You can follow the parcel with the number on the label."
    ),
    (
        "Refunds are made to the payment method of the order after the items have been checked, which takes "
        "up to three working days. Banks show card refunds within five working days. Gift card balances are "
        "restored immediately."
    ),
    (
        "Customers who order more than twelve times a year become members of the club. Members have free "
        "express delivery, early access to sales, and sixty days for returns. Membership ends after a year "
        "without an order."
    ),
)


def interaction(number: int) -> Interaction:
    """Return the case with a number in every sentence: what was read lately is not read again."""
    documents = tuple(Document(id=str(i), text=_numbered(text, number)) for i, text in enumerate(PASSAGES))
    return Interaction(question=f"{number}: {QUESTION}", answer=_numbered(ANSWER, number), documents=documents)


def _numbered(text: str, number: int) -> str:
    return text.replace(".", f" {number}.")
