"""Where receivers listen, and what is said when they cannot."""

import asyncio
import socket
from pathlib import Path

import httpx
import pytest
from receivers.conftest import Kept
from support.certificates import Authority

from otel_agent_eval.listen import split_endpoint
from otel_agent_eval.receivers import Intake, ListenError, OtlpGrpcReceiver, OtlpHttpReceiver, ServerTls

RECEIVERS = pytest.mark.parametrize("kind", [OtlpGrpcReceiver, OtlpHttpReceiver])
Kind = type[OtlpGrpcReceiver] | type[OtlpHttpReceiver]


@RECEIVERS
async def test_port_0_becomes_the_port_in_use(kept: Kept, kind: Kind) -> None:
    receiver = kind(Intake(kept), "localhost:0")
    await receiver.start()
    host, port = receiver.endpoint.split(":")
    assert host == "localhost"
    socket.create_connection(("127.0.0.1", int(port)), 1).close()
    await receiver.stop(0)


@RECEIVERS
async def test_port_in_use_is_one_error_that_names_address_and_key(kept: Kept, kind: Kind) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        endpoint = f"127.0.0.1:{other.getsockname()[1]}"
        receiver = kind(Intake(kept), endpoint, key="receivers.otlp.endpoint")
        with pytest.raises(ListenError, match=rf"{endpoint}: address already in use; change receivers.otlp.endpoint"):
            await receiver.start()
        await receiver.stop(0)


@RECEIVERS
async def test_two_receivers_never_share_a_port(kept: Kept, kind: Kind) -> None:
    first = kind(Intake(kept), "127.0.0.1:0")
    await first.start()
    with pytest.raises(ListenError, match="already in use"):
        await kind(Intake(kept), first.endpoint).start()
    await first.stop(0)
    again = kind(Intake(kept), first.endpoint)
    await again.start()
    await again.stop(0)


@RECEIVERS
@pytest.mark.parametrize("endpoint", ["192.0.2.1:4317", "no-such-host.invalid:4317"])
async def test_address_of_another_machine_is_a_clear_error(kept: Kept, kind: Kind, endpoint: str) -> None:
    with pytest.raises(ListenError, match=endpoint):
        await kind(Intake(kept), endpoint).start()


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("127.0.0.1:4317", ("127.0.0.1", 4317)),
        ("[::1]:4317", ("::1", 4317)),
        (":4317", ("0.0.0.0", 4317)),  # noqa: S104 (nothing listens)
    ],
)
def test_endpoint_is_split(endpoint: str, expected: tuple[str, int]) -> None:
    assert split_endpoint(endpoint, "key") == expected


@pytest.mark.parametrize("endpoint", ["", "localhost", "localhost:", "localhost:http", "localhost:70000", "::1:4317"])
def test_endpoint_that_is_none_is_named_with_its_key(endpoint: str) -> None:
    with pytest.raises(ListenError, match=r"^the\.key: '.*' is not an address"):
        split_endpoint(endpoint, "the.key")


@RECEIVERS
async def test_certificate_that_is_none_is_named_at_the_start(
    kept: Kept, kind: Kind, authority: Authority, tmp_path: Path
) -> None:
    pair = authority.issue("server")
    broken = tmp_path / "broken.pem"
    broken.write_text("not a certificate")
    for tls, named in (
        (ServerTls(cert_file=tmp_path / "missing.pem", key_file=pair.key), "missing.pem"),
        (ServerTls(cert_file=broken, key_file=pair.key), "broken.pem"),
        (ServerTls(cert_file=pair.cert, key_file=authority.issue("other").key), "other.key"),
        (ServerTls(cert_file=pair.cert, key_file=pair.key, client_ca_file=broken), "broken.pem"),
    ):
        with pytest.raises(ListenError, match=named):
            await kind(Intake(kept), "127.0.0.1:0", tls=tls).start()


async def test_ipv6_is_served_where_the_machine_has_it(kept: Kept) -> None:
    receiver = OtlpHttpReceiver(Intake(kept), "[::1]:0")
    try:
        await receiver.start()
    except ListenError:
        pytest.skip("no IPv6 here")
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"http://{receiver.endpoint}/v1/traces", headers={"content-type": "application/json"}, content=b"{}"
        )
    assert answer.status_code == 200
    await asyncio.wait_for(receiver.stop(0), 5)
