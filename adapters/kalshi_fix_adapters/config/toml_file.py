"""The options of several clients in one TOML file.

    environment = "production"        # options of every session
    timeout = 5.0

    [sessions.orders]                 # options of one session, under a name that you choose
    key_id = "3c6e2a5e-7f7d-4d3a-9a50-1f3f6f0c8d11"
    private_key_path = "orders.pem"

    [sessions.orders.tls]
    pinned_file = "venue.pem"

The keys are the attributes of `Options`. `tls`, `reconnect`, `logon_fields` and `session` are tables with the
fields of `Tls`, `ReconnectPolicy`, `LogonFields` and `SessionSettings`; `tls = "plaintext"` and `reconnect =
false` are allowed too. Objects (an observer, a budget) and secrets cannot be set in a file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Final, Literal, NoReturn, cast, get_args, get_origin, get_type_hints

import attrs

import kalshi_fix_sansio
from kalshi_fix_adapters.config.plan import ClientConfig, Options, SessionSettings, merge
from kalshi_fix_adapters.config.reconnect import ReconnectPolicy
from kalshi_fix_adapters.config.stores import is_url
from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_adapters.errors import ConfigFileError
from kalshi_fix_adapters.net.key_text import safe_repr
from kalshi_fix_adapters.net.tls import Plaintext, Tls
from kalshi_fix_sansio.classes.hide_locals import hides_locals
from kalshi_fix_sansio.errors import ConfigurationError

_SECRETS: Final = ("private_key", "passphrase")
_FILES: Final = ("private_key_path", "store", "shapes", "wire_log", "ca_file", "pinned_file")
"""Options whose values are paths of files or folders, relative to the folder of the TOML file."""
_KINDS: Final[Mapping[type, str]] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "text in quotes",
}
_TABLES: Final[Mapping[str, type]] = {"tls": Tls, "reconnect": ReconnectPolicy, "session": SessionSettings}
"""The options that are tables, with the class of their values."""
_FLAG_TYPES: Final = {"bool | None": bool, "int | None": int}
"""The types of the values of `LogonFields`, by the annotation of the field."""
_INTEGER_TOO_LARGE: Final = "contains an integer of more than 64 bits"
_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)$")


@hides_locals
def load_configs(path: str | Path) -> dict[str, ClientConfig]:
    """Return the options of each session in a TOML file, by name, to pass to a client as `config`.

    Raises:
        ConfigFileError: the file cannot be read, or an option is unknown, has the wrong type, or contradicts
            another.
    """
    reader = _Reader(Path(path))
    tables = reader.parse()
    sessions = tables.pop("sessions", {})
    if not isinstance(sessions, dict) or not sessions:
        reader.fail("sessions", "is missing; add a table for each session, such as [sessions.orders]")
    # `merge` refuses to use a key or an address for a product other than the one for which it was set.
    shared = reader.build(ClientConfig, "", reader.options("", tables))
    configs: dict[str, ClientConfig] = {}
    for name, table in sessions.items():
        key = f"sessions.{name}"
        options = reader.options(key, table)
        configs[name] = reader.build(merge, key, {"config": shared, "options": options})
    return configs


@attrs.frozen
class _Reader:
    """Checks the values of one file."""

    path: Path

    def fail(self, key: str | None, text: str) -> NoReturn:
        """Raise the error for a key."""
        raise ConfigFileError(self.path, text, key=key)

    def parse(self) -> dict[str, Any]:
        """Return the tables of the file."""
        text, problem, line = "", "", None
        try:
            text = self.path.read_text("utf-8")
            return tomllib.loads(text)
        except OSError as error:
            problem = f"cannot be read ({error.strerror})"
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            problem = "is not UTF-8; save the file as UTF-8"
        except tomllib.TOMLDecodeError as error:
            match = _LINE.search(str(error))
            line = int(match[1]) if match else text.count("\n") + 1
            problem = f"is not valid TOML: {_LINE.sub('', str(error))}"
        except ValueError:  # from int()
            problem = _INTEGER_TOO_LARGE
        except RecursionError:
            problem = "is nested too deeply"
        raise ConfigFileError(self.path, problem, line=line)

    def options(self, key: str, table: object) -> Options:
        """Return the options in a table."""
        types = get_type_hints(ClientConfig)
        options: dict[str, Any] = {}
        for name, value in self._table(key, table, types).items():
            option_key = f"{key}.{name}".lstrip(".")
            options[name] = self._option(option_key, name, value, types[name])
        return cast("Options", options)

    def build(self, make: Callable[..., Any], key: str, values: Mapping[str, Any]) -> Any:
        """Return the result of `make` for these values; report a ConfigurationError as an error in this
        table.
        """
        try:
            return make(**values)
        except ConfigurationError as error:
            problem = str(error)
        raise ConfigFileError(self.path, problem, key=key or None)

    def _option(self, key: str, name: str, value: object, kind: Any) -> object:
        match name:
            case "tls" if value == "plaintext":
                return Plaintext()
            case "reconnect" if value is False:
                return None
            case "tls" | "reconnect" | "session":
                make = _TABLES[name]
                return self._fields(key, value, make, get_type_hints(make))
            case "logon_fields":
                fields = kalshi_fix_sansio.LogonFields
                kinds = {each.name: _FLAG_TYPES.get(str(each.type)) for each in attrs.fields(fields)}
                return self._fields(key, value, fields, kinds)
        return self._value(key, name, value, kind)

    def _fields(self, key: str, table: object, make: Callable[..., Any], kinds: Mapping[str, Any]) -> Any:
        checked = {
            name: self._value(f"{key}.{name}", name, value, kinds[name])
            for name, value in self._table(key, table, kinds).items()
        }
        return self.build(make, key, checked)

    def _table(self, key: str, table: object, known: Mapping[str, Any]) -> dict[str, object]:
        """Return a table, after checking that its keys are known."""
        if not isinstance(table, dict):
            self.fail(key, f"must be a table: write [{key}] and its options below")
        values = cast("dict[str, object]", table)
        for name in values:
            if name in _SECRETS:
                option_key = f"{key}.{name}".lstrip(".")
                self.fail(option_key, "is a secret; set private_key_path or an environment variable instead")
            if name not in known:
                # The name may be the text of a private key that was pasted into the wrong place.
                parent = key or None
                self.fail(parent, f"has no option {safe_repr(name)}; {did_you_mean(name, known)}")
        return values

    def _value(self, key: str, name: str, value: object, kind: Any) -> object:
        """Return a plain value, after checking its type."""
        choices = get_args(kind) if get_origin(kind) is Literal else ()
        listed = get_args(kind) if isinstance(kind, UnionType) else (kind,)
        kinds = [each for each in _KINDS if each in listed or (each is str and Path in listed)]
        if not (choices or kinds):
            self.fail(key, "cannot be set in a file; pass it to the client")
        if choices and value not in choices:
            self.fail(key, "must be " + " or ".join(f'"{each}"' for each in choices))
        if kinds and not (type(value) in kinds or (float in kinds and type(value) is int)):
            self.fail(key, "must be " + " or ".join(_KINDS[each] for each in kinds))
        if type(value) is int and value.bit_length() > 63:
            self.fail(key, _INTEGER_TOO_LARGE)
        if name in _FILES and not (name == "store" and is_url(str(value))):
            return self._file(key, Path(str(value)))
        return value

    def _file(self, key: str, path: Path) -> Path:
        try:
            return self.path.parent / path.expanduser()
        except RuntimeError:
            self.fail(key, "begins with ~, but that home folder is unknown; write the full path")
