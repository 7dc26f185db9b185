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
from tests.adapters.conformance.loops import LONG, Loop
from tests.adapters.conformance.relay import Relay
from tests.adapters.conformance.support import options, plaintext_options
from tests.adapters.net.peers import hang_up, keep_silent, listening, talk_nonsense
from tests.helpers import order


async def logon_error(loop: Loop, settings: Any, kind: type[AdapterError] = LogonRefusedError) -> Any:
    """Open a client that cannot log on, and return the exception."""
    client = loop.client("KalshiNR", **settings)
    with pytest.raises(kind) as caught:
        await client.__aenter__()
    assert not client.is_logged_on
    return caught.value


async def test_a_key_that_does_not_match_the_key_id_is_refused(loop: Loop, sandbox: Sandbox) -> None:
    stranger = ClientKey.generate(ed25519_key=True)
    error = await logon_error(loop, options(sandbox, private_key=stranger.private_key_pem))
    assert "private key belongs to this API key id" in str(error)
    assert not error.retryable


async def test_an_unknown_key_is_refused(loop: Loop, sandbox: Sandbox) -> None:
    assert "check the API key id" in str(await logon_error(loop, options(sandbox, key_id=str(uuid4()))))


async def test_a_logon_on_the_port_of_another_session_type_is_refused(loop: Loop, sandbox: Sandbox) -> None:
    port = sandbox.server.port("prediction", "KalshiMD")
    assert "TargetCompID" in str(await logon_error(loop, options(sandbox, port=port)))


async def test_the_checks_for_messages_are_compiled_before_the_first_message_is_sent(
    loop: Loop, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []

    def compile_and_record(layout: Any, context: Any) -> Any:
        if context.sender is Sender.CLIENT:
            compiled.append(layout.msg_type)
        return checker(layout, context)

    monkeypatch.setattr(send_validator, "checker", compile_and_record)
    async with loop.client("KalshiNR", **options(sandbox)) as client:
        assert compiled == ["D", "G", "F", "q", "UOG", "U1"]
        await client.send(order())
        assert len(compiled) == 6


async def test_a_second_connection_with_the_same_key_is_refused(loop: Loop, sandbox: Sandbox) -> None:
    async with loop.client("KalshiNR", **options(sandbox)):
        error = await logon_error(loop, options(sandbox))
        assert "another connection uses this API key" in str(error)
        assert error.retryable


async def test_an_invalid_logon_is_refused(loop: Loop, sandbox: Sandbox) -> None:
    settings = options(sandbox, logon_fields=LogonFields(message_retention_period=48))
    with pytest.raises(InvalidMessageError, match="MessageRetentionPeriod"):
        await loop.client("KalshiNR", **settings).__aenter__()


@pytest.mark.parametrize(
    ("handler", "seconds", "text"),
    [
        (keep_silent, 0.5, "did not answer the Logon in time"),
        (hang_up, 10, "closed the connection before it answered"),
        (talk_nonsense, 0.5, "did not answer the Logon in time"),
    ],
)
async def test_a_peer_that_does_not_answer_the_logon_is_reported(
    loop: Loop, sandbox: Sandbox, handler: Any, seconds: float, text: str
) -> None:
    with listening(handler) as port:
        settings = plaintext_options(sandbox, port, timeout=seconds)
        error = await logon_error(loop, settings, LogonFailedError)
    assert text in str(error)


async def test_the_first_connection_is_retried_on_request(loop: Loop, sandbox: Sandbox, relay: Relay) -> None:
    policy = ReconnectPolicy(initial=0.01, cap=0.01, retry_first=True, maintenance=None)

    class Listen(Observer):
        """Starts the venue again after the first failure to connect."""

        def on_event(self, event: object, now: Instant) -> None:
            if isinstance(event, ConnectFailed):
                relay.listen()

    relay.stop_listening()
    settings = options(sandbox, port=relay.port, reconnect=policy, observer=Listen())
    async with loop.client("KalshiNR", **settings) as client:
        kinds = [type(await client.receive(LONG)) for _ in range(4)]
        assert kinds == [Connecting, ConnectFailed, Connecting, LoggedOn]
