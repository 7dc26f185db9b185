"""What can go wrong between a client and the venue, each with one sentence that says what to do."""

from __future__ import annotations

from kalshi_fix_sansio.errors import ConfigurationError, KalshiFixError
from kalshi_fix_sansio.events import SessionEnded


class AdapterError(KalshiFixError):
    """Base of what the adapters raise when the world outside does not do its part."""


class ConnectionFailedError(AdapterError, ConnectionError):
    """No connection came about: unreachable, refused, reset, or not in time."""


class HostNotFoundError(ConnectionFailedError):
    """The host's name has no address."""


class ConnectTimeoutError(ConnectionFailedError, TimeoutError):
    """TCP or TLS was not ready within the deadline."""


class TlsError(ConnectionFailedError):
    """The TLS handshake failed for another reason than the certificate."""


class CertificateRejectedError(TlsError):
    """The venue's certificate does not verify, names another host, or is not the pinned one."""


class PlaintextRefusedError(ConfigurationError):
    """Plain TCP to another machine was not asked for by name."""


class LogonRefusedError(AdapterError):
    """The venue answered the Logon by a Logout."""

    def __init__(self, text: str, advice: str, *, retryable: bool) -> None:
        self.text = text
        """The venue's Text (58)."""
        self.advice = advice
        self.retryable = retryable
        """Whether time alone can cure it."""
        super().__init__(f"the venue refused the logon: {text or 'no reason given'}; {advice}")


class LogonFailedError(AdapterError):
    """The Logon got no proper answer: none in time, the connection ended, or a breach of the protocol."""

    def __init__(self, text: str, ended: SessionEnded | None = None) -> None:
        self.ended = ended
        super().__init__(text)


class ClientTimeoutError(AdapterError, TimeoutError):
    """What was waited for did not happen within the deadline."""


class SessionClosedError(AdapterError):
    """The session is over; `ended` says why, unless the client was never opened or failed by itself."""

    def __init__(self, text: str, ended: SessionEnded | None = None) -> None:
        self.ended = ended
        super().__init__(text)


class NotConnectedError(SessionClosedError):
    """Nothing can be sent now: the client is not logged on. Messages are never kept for later."""


class SessionInterruptedError(SessionClosedError):
    """The connection was lost, and the client is connecting again; go on iterating to go on."""
