"""Logons that the venue refuses or does not answer."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.errors import AdapterError, LogonFailedError, LogonRefusedError
from kalshi_fix_adapters.events import ConnectFailed, Connecting
from kalshi_fix_adapters.observe.observer import Observer
from kalshi_fix_sansio import LogonFields
from kalshi_fix_sansio.clock import Instant
from kalshi_fix_sansio.dialect.layout import Sender
from kalshi_fix_sansio.errors import InvalidMessageError
from kalshi_fix_sansio.events import LoggedOn
from kalshi_fix_sansio.session import send_validator
from kalshi_fix_sansio.validation import checker
from kalshi_fix_venue.identities import ClientKey
from kalshi_fix_venue.testing import Sandbox
from tests.adapters.conformance.loops import TIMEOUT
from tests.adapters.conformance.support import NewClient
from tests.adapters.net.peers import hang_up, keep_silent, listening, talk_nonsense
from tests.helpers import order
from tests.relay import Relay


async def logon_error(client: Any, kind: type[AdapterError] = LogonRefusedError) -> Any:
    """Open a client that cannot log on, and return the exception."""
    with pytest.raises(kind) as caught:
        await client.__aenter__()
    assert not client.is_logged_on
    return caught.value


async def test_a_key_that_does_not_match_the_key_id_is_refused(new_client: NewClient) -> None:
    stranger = ClientKey.generate(ed25519_key=True)
    error = await logon_error(new_client(private_key=stranger.private_key_pem))
    assert "private key belongs to this API key id" in str(error)
    assert not error.retryable


async def test_an_unknown_key_is_refused(new_client: NewClient) -> None:
    assert "check the API key id" in str(await logon_error(new_client(key_id=str(uuid4()))))


async def test_a_logon_on_the_port_of_another_session_type_is_refused(
    new_client: NewClient, sandbox: Sandbox
) -> None:
    port = sandbox.server.port("prediction", "KalshiMD")
    assert "TargetCompID" in str(await logon_error(new_client(port=port)))


async def test_the_checks_for_messages_are_compiled_before_the_first_message_is_sent(
    new_client: NewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []

    def compile_and_record(layout: Any, context: Any) -> Any:
        if context.sender is Sender.CLIENT:
            compiled.append(layout.msg_type)
        return checker(layout, context)

    monkeypatch.setattr(send_validator, "checker", compile_and_record)
    async with new_client() as client:
        assert compiled == ["D", "G", "F", "q", "UOG", "U1"]
        await client.send(order())
        assert len(compiled) == 6


async def test_a_second_connection_with_the_same_key_is_refused(new_client: NewClient) -> None:
    async with new_client():
        error = await logon_error(new_client())
        assert "another connection uses this API key" in str(error)
        assert error.retryable


async def test_an_invalid_logon_is_refused(new_client: NewClient) -> None:
    with pytest.raises(InvalidMessageError, match="MessageRetentionPeriod"):
        await new_client(logon_fields=LogonFields(message_retention_period=48)).__aenter__()


@pytest.mark.parametrize(
    ("handler", "seconds", "text"),
    [
        (keep_silent, 0.5, "did not answer the Logon in time"),
        (hang_up, 10, "closed the connection before it answered"),
        (talk_nonsense, 0.5, "did not answer the Logon in time"),
    ],
)
async def test_a_peer_that_does_not_answer_the_logon_is_reported(
    plaintext_client: NewClient, handler: Any, seconds: float, text: str
) -> None:
    with listening(handler) as port:
        client = plaintext_client(port=port, timeout=seconds)
        error = await logon_error(client, LogonFailedError)
    assert text in str(error)


async def test_the_first_connection_is_retried_on_request(new_client: NewClient, relay: Relay) -> None:
    policy = ReconnectPolicy(initial=0.01, cap=0.01, retry_first=True, maintenance=None)

    class RelayStarter(Observer):
        """Makes the relay listen again after a failure to connect."""

        def on_event(self, event: object, now: Instant) -> None:
            if isinstance(event, ConnectFailed):
                relay.listen()

    relay.stop_listening()
    async with new_client(port=relay.port, reconnect=policy, observer=RelayStarter()) as client:
        kinds = [type(await client.receive(TIMEOUT)) for _ in range(4)]
        assert kinds == [Connecting, ConnectFailed, Connecting, LoggedOn]
