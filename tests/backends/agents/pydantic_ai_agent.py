"""A Pydantic AI agent that looks something up with a tool before it answers; instrumentation is its own."""

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from telemetry import MODEL, exported

with exported("pydantic-ai"):
    Agent.instrument_all()
    agent = Agent(OpenAIChatModel(MODEL), system_prompt="Use the tool, then answer briefly.", name="guide")

    @agent.tool_plain
    def search_facts(query: str) -> str:
        """Look up facts about a place."""
        return f"Facts found for {query}: The Eiffel Tower is 330 metres tall and was completed in 1889."

    agent.run_sync("How tall is the Eiffel Tower?")
