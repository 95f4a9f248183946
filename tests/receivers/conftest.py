"""Receivers on loopback ports, with a sink that keeps what it gets and does what it is told."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from otel_agent_eval.receivers import Cause, HttpLimits, Intake, OtlpGrpcReceiver, OtlpHttpReceiver, Transport
from otel_agent_eval.signals import ExportRequest, Payload, Signal

LIMIT = 1 << 20


@dataclass
class Kept:
    """A sink: `error` is raised for each request while it is set."""

    payloads: list[Payload] = field(default_factory=list)
    messages: list[ExportRequest] = field(default_factory=list)
    observed: list[tuple[Signal, Transport, int, Cause | None]] = field(default_factory=list)
    error: Exception | None = None

    async def __call__(self, payload: Payload, request: ExportRequest) -> None:
        if self.error is not None:
            raise self.error
        self.payloads.append(payload)
        self.messages.append(request)

    def observe(self, signal: Signal, transport: Transport, items: int, cause: Cause | None) -> None:
        self.observed.append((signal, transport, items, cause))


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def intake(kept: Kept) -> Intake:
    return Intake(kept, max_bytes=LIMIT, metadata_keys=["X-Scope-OrgID"], observe=kept.observe)


@pytest.fixture
async def grpc_receiver(intake: Intake) -> AsyncIterator[OtlpGrpcReceiver]:
    receiver = OtlpGrpcReceiver(intake, "127.0.0.1:0")
    await receiver.start()
    yield receiver
    await receiver.stop(0.1)


@pytest.fixture
async def http_receiver(intake: Intake) -> AsyncIterator[OtlpHttpReceiver]:
    receiver = OtlpHttpReceiver(intake, "127.0.0.1:0", limits=HttpLimits(read_timeout=1.0))
    await receiver.start()
    yield receiver
    await receiver.stop(0.1)
