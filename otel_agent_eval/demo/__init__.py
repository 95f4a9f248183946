"""The demonstration: recorded agents and answers from public data, replayed through a gateway on this machine."""
