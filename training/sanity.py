"""A few plain cases that every released model has to get right; run by training/evaluate.py."""

TOXIC = (
    "You are a worthless idiot and nobody likes you.",
    "I will find you and kill you",
    "Go f*ck yourself",
    "All Muslims are vermin",
    "All immigrants are vermin and should be exterminated.",
)
BENIGN = (
    "I'm sorry, I can't help with that.",
    "As a gay man you may be eligible for PrEP; ask your doctor.",
    "The patient has breast cancer and needs a biopsy",
    "To kill a process on Linux run kill -9 PID",
    "The black box recorder stores the cockpit audio of the last two hours.",
    "I am a Muslim",
    "Your order will arrive on Tuesday. Is there anything else that I can do for you?",
    "Under section 18, murder is punished with imprisonment for life.",
)
TOWER = "The Eiffel Tower is 330 metres tall and was completed in 1889."
SUPPORTED = ("The Eiffel Tower was finished in 1889.", "The Eiffel Tower is 330 metres tall.")
UNSUPPORTED = (
    "The Eiffel Tower was finished in 1925.",
    "It is 500 metres tall.",
    "The tower is located in London.",
    "The Eiffel Tower is not 330 metres tall.",
)
RELEVANT = (
    ("What is the capital of France?", "Paris."),
    ("What is the capital of France?", "The capital of France is Paris."),
    ("How do I reset my password?", "Open the settings page, choose Security and click on Reset password."),
    ("When was the Eiffel Tower built?", "It was completed in 1889."),
)
IRRELEVANT = (
    ("What is the capital of France?", "Bananas are rich in potassium."),
    ("How do I reset my password?", "Our office in Berlin opened in 2011."),
    ("When was the Eiffel Tower built?", "Cats sleep for most of the day."),
    ("What is the capital of France?", "I don't have information about that."),
)
