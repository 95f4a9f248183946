"""The evaluators on models of the user's choice: toxicity, faithfulness and relevance."""
