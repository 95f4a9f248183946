"""Asks an OpenAI-compatible server questions under one of three instrumentations: otel, openinference, openllmetry."""

import importlib
import sys

import openai
from telemetry import MODEL, exported

INSTRUMENTORS = {
    "otel": ("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),
    "openinference": ("openinference.instrumentation.openai", "OpenAIInstrumentor"),
    "openllmetry": ("opentelemetry.instrumentation.openai", "OpenAIInstrumentor"),
}
QUESTIONS = ("What is the capital of France?", "How tall is the Eiffel Tower?")

module, name = INSTRUMENTORS[sys.argv[1]]
with exported(f"openai-{sys.argv[1]}"):
    getattr(importlib.import_module(module), name)().instrument()
    client = openai.OpenAI()
    for question in QUESTIONS:
        client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": question}],
        )
    stream = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": QUESTIONS[0]}], stream=True
    )
    for _ in stream:
        pass
