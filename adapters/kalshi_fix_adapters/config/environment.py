r"""The endpoint and credentials of a client, from explicit arguments and the environment.

For the prediction product the variables begin with `KALSHI_`, for margin with `KALSHI_PERPS_`:

| variable | meaning |
| --- | --- |
| `..._KEY_ID` | the API key's id: SenderCompID (49) |
| `..._PRIVATE_KEY` | the private key as PEM text (newlines may be written as `\n`) |
| `..._PRIVATE_KEY_PATH` | alternatively, a PEM file with the private key |
| `..._PRIVATE_KEY_PASSPHRASE` | the passphrase of an encrypted key |
| `..._FIX_ENDPOINTS` | addresses other than Kalshi's: `KalshiNR=localhost:8228,KalshiMD=localhost:8233` |
| `..._FIX_CA_FILE` | PEM file with the CA to trust at those addresses |

A key is used only with its own product, because each product has separate variables. The environment is
Kalshi's demo by default. Only an argument can select production; the variables for endpoints and the CA are
then refused. If `..._FIX_ENDPOINTS` is set, it must contain every session type in use, so that no client
connects to Kalshi by mistake.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from kalshi_fix_adapters.events import Endpoint
from kalshi_fix_adapters.net.key_text import looks_like_key, safe_repr
from kalshi_fix_adapters.net.tls import Security, Tls
from kalshi_fix_sansio._generated.sessions import ENDPOINTS, ENVIRONMENTS, PRODUCTS, SESSION_TYPES
from kalshi_fix_sansio.classes.hide_locals import hides_locals
from kalshi_fix_sansio.dialect.layout import SessionType
from kalshi_fix_sansio.errors import ConfigurationError, KeyFileError
from kalshi_fix_sansio.signing import Signer, load_private_key

PRODUCTION = "production"
DEMO = "demo"
MAX_KEY_FILE = 64 * 1024
"""Maximum size of a private key file in bytes; the largest keys take a few thousand."""
_HOST = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_:%-]{1,63}(?:\.[A-Za-z0-9_:%-]{1,63})*\.?|\[[0-9A-Fa-f:.%]{2,60}\]"
)
"""Pattern of a host name or address. A label of a name has 1 to 63 characters; Python cannot look up a name
with any other label.
"""

_PORT = re.compile("[0-9]{1,5}")
_PORTS = range(1, 1 << 16)


def _is_port(text: str) -> bool:
    return bool(_PORT.fullmatch(text)) and int(text) in _PORTS


def _is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None and not looks_like_key(text)


class KeyFileWarning(UserWarning):
    """Other users of this machine can read or replace the private key file."""


@attrs.frozen
class Credentials:
    """An API key: its id and its signer. The private key is never displayed.

    Attributes:
        key_id: Id of the API key, a UUID.
        signer: Signs with the private key.
    """

    key_id: str
    signer: Signer = attrs.field(repr=False)


def _prefix(product: str) -> str:
    if product not in PRODUCTS:
        raise ConfigurationError(f"there is no product {safe_repr(product)}; choose {' or '.join(PRODUCTS)}")
    return PRODUCTS[product]


@hides_locals
def find_credentials(
    product: str,
    *,
    key_id: str | None = None,
    private_key: Signer | str | bytes | None = None,
    private_key_path: str | Path | None = None,
    passphrase: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Credentials:
    """Return the API key of a product, from the arguments and, for omitted arguments, the environment.

    Args:
        product: `prediction` or `margin`.
        key_id: the API key's id, a UUID.
        private_key: PEM text, or an already loaded key.
        private_key_path: file with PEM text, as an alternative to `private_key`.
        passphrase: passphrase of an encrypted key.
        environ: variables to read instead of `os.environ`.

    Raises:
        ConfigurationError: a value is missing or given twice.
        KeyFileError: the private key cannot be read or used.
    """
    prefix = _prefix(product)
    variables = os.environ if environ is None else environ
    name = f"{prefix}_KEY_ID"
    key_id = key_id or variables.get(name)
    if not key_id:
        raise ConfigurationError(f"{name} is not set; export the id of your API key (a UUID), or pass key_id")
    if not (key_id.isascii() and key_id.isprintable()) or " " in key_id:
        raise ConfigurationError(f"{name} is not an API key id; give the id (a UUID), not the key itself")
    if private_key is None and private_key_path is None:
        private_key = variables.get(f"{prefix}_PRIVATE_KEY") or None
        private_key_path = variables.get(f"{prefix}_PRIVATE_KEY_PATH") or None
        names = f"{prefix}_PRIVATE_KEY and {prefix}_PRIVATE_KEY_PATH"
    else:
        names = "private_key and private_key_path"
    passphrase = passphrase or variables.get(f"{prefix}_PRIVATE_KEY_PASSPHRASE") or None
    if private_key is not None and private_key_path is not None:
        raise ConfigurationError(f"{names} are both set; keep only one of them")
    if isinstance(private_key, Signer):
        return Credentials(key_id, private_key)
    if private_key is not None:
        # As in `load_private_key`: an environment variable may contain bytes that are not UTF-8.
        text = private_key.encode(errors="surrogateescape") if isinstance(private_key, str) else private_key
        return Credentials(key_id, load_private_key(text.replace(rb"\n", b"\n"), passphrase))
    if private_key_path is not None:
        return Credentials(key_id, _load_key_file(Path(private_key_path), passphrase))
    raise ConfigurationError(
        f"{prefix}_PRIVATE_KEY_PATH is not set; export the path of your private key, or the key itself as "
        f"{prefix}_PRIVATE_KEY"
    )


def _load_key_file(path: Path, passphrase: str | None) -> Signer:
    if looks_like_key(str(path)):
        raise KeyFileError(
            "the path of the private key file is the text of a key (not shown); give the file's path, or the "
            "text as private_key (..._PRIVATE_KEY in the environment)"
        )
    pem, mode, problem = b"", 0, ""
    try:
        with path.expanduser().open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            pem = file.read(MAX_KEY_FILE + 1)
    # RuntimeError is raised for an unknown home folder, and ValueError for NUL in the name.
    except (OSError, RuntimeError, ValueError) as error:
        problem = getattr(error, "strerror", None) or type(error).__name__
    if problem:
        # Raised outside the handler, because Python would show the caught error as context, and that error
        # contains the unmasked path.
        raise KeyFileError(
            f"the private key file {safe_repr(path)} cannot be read ({problem}); "
            "give the path of the PEM file"
        )
    if len(pem) > MAX_KEY_FILE:
        raise KeyFileError(f"{safe_repr(path)} is too large for a private key; give the path of the PEM file")
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        warnings.warn(
            f"other users have access to the private key file {safe_repr(path)} (mode "
            f"{stat.S_IMODE(mode):03o}); run: chmod 600 {shlex.quote(safe_repr(path))}",
            KeyFileWarning,
            stacklevel=2,
        )
    try:
        return load_private_key(pem, passphrase)
    except KeyFileError as error:
        raise KeyFileError(f"{safe_repr(path)}: {error}") from None


@hides_locals
def find_endpoint(
    product: str,
    environment: str,
    session_type: SessionType,
    *,
    host: str | None = None,
    port: int | None = None,
    environ: Mapping[str, str] | None = None,
) -> Endpoint:
    """Return the endpoint of a session type from the arguments or, if they are omitted, from the environment
    variables. If neither contains it, return Kalshi's own endpoint.

    Raises:
        ConfigurationError: the product or the environment does not exist, the product does not have the
            session type, the address is unknown or not valid, or the environment variables set other
            addresses although production was requested.
    """
    prefix = _prefix(product)
    if environment not in ENVIRONMENTS:
        raise ConfigurationError(
            f"there is no environment {safe_repr(environment)}; choose one of {', '.join(ENVIRONMENTS)}"
        )
    if product not in session_type.products:
        raise ConfigurationError(
            f"{session_type.name} is not offered for {product}, only for {', '.join(session_type.products)}"
        )
    default_port = session_type.port
    if host is None:
        name = f"{prefix}_FIX_ENDPOINTS"
        endpoints = _read_endpoints(name, environment, environ)
        if endpoints:
            if session_type.name not in endpoints:
                raise ConfigurationError(
                    f"{name} has no address for {session_type.name}, only for {', '.join(endpoints)}; add "
                    f"{session_type.name}=HOST:PORT, or unset {name} to connect to Kalshi's own hosts"
                )
            host, default_port = endpoints[session_type.name].host, endpoints[session_type.name].port
    elif not _is_host(host):
        raise ConfigurationError(f"host is {safe_repr(host)}, which is neither a host name nor an address")
    if host is None and session_type.host_role is not None:
        host = ENDPOINTS.get((environment, product, session_type.host_role))
    port = port or default_port
    if host is None or port is None:
        raise ConfigurationError(f"the address of {session_type.name} is unknown; pass host and port")
    if port not in _PORTS:
        raise ConfigurationError(f"port is {port}; a TCP port is between {_PORTS[0]} and {_PORTS[-1]}")
    return Endpoint(host, port)


def has_other_endpoints(product: str, environment: str, *, environ: Mapping[str, str] | None = None) -> bool:
    """Return whether the environment variables set addresses to use instead of Kalshi's."""
    return bool(_read_endpoints(f"{_prefix(product)}_FIX_ENDPOINTS", environment, environ))


@hides_locals
def find_security(product: str, environment: str, *, environ: Mapping[str, str] | None = None) -> Security:
    """Return the TLS settings: the CA file from the environment variables, or else the system's trusted CAs.

    Raises:
        ConfigurationError: production was requested, and the environment variables set another CA; or the
            variable contains PEM text instead of a path.
    """
    name = f"{_prefix(product)}_FIX_CA_FILE"
    path = _read_variable(name, environment, environ)
    if path is not None and looks_like_key(path):
        raise ConfigurationError(f"{name} is PEM text (not shown); give the path of the file with the CA")
    return Tls() if path is None else Tls(ca_file=path)


def _read_variable(name: str, environment: str, environ: Mapping[str, str] | None) -> str | None:
    value = (os.environ if environ is None else environ).get(name)
    if value and environment == PRODUCTION:
        raise ConfigurationError(
            f"production was requested, but {name} is set; unset it, or pass host and tls"
        )
    return value or None


def _read_endpoints(name: str, environment: str, environ: Mapping[str, str] | None) -> dict[str, Endpoint]:
    endpoints: dict[str, Endpoint] = {}
    value = _read_variable(name, environment, environ)
    for item in (value or "").split(","):
        if not item.strip():
            continue
        session, _, address = item.strip().partition("=")
        host, _, port = address.rpartition(":")
        if session not in SESSION_TYPES or not _is_host(host) or not _is_port(port):
            raise ConfigurationError(
                f"{name} contains {safe_repr(item.strip())}; write SESSION=HOST:PORT, such as "
                "KalshiNR=127.0.0.1:8228"
            )
        endpoints[session] = Endpoint(host.strip("[]"), int(port))
    # Without this check, the session would connect to Kalshi.
    if value and not endpoints:
        raise ConfigurationError(f"{name} has no address; write SESSION=HOST:PORT, or unset it")
    return endpoints


def export_lines(product: str, values: Mapping[str, Any]) -> list[str]:
    """Return shell lines that set variables of a product. Names are given without the prefix: `{"KEY_ID":
    ...}`.
    """
    prefix = _prefix(product)
    return [f"export {prefix}_{name}={shlex.quote(str(value))}" for name, value in values.items()]
