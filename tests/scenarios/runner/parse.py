"""Parser of scenario files. Unknown content raises ScenarioError with file and line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from kalshi_fix_sansio import errors, events
from kalshi_fix_sansio.config import Role
from kalshi_fix_sansio.dialect.layout import Dialect
from tests.scenarios.runner import numbered_yaml, words
from tests.scenarios.runner.model import (
    Action,
    EventPattern,
    Fields,
    MessageSpec,
    PeerDisconnect,
    PeerInput,
    Scenario,
    Step,
    Switch,
    UserCall,
    Value,
)
from tests.scenarios.runner.numbered_yaml import Mapping, ScenarioError

REQUIRED_KEYS = ("title", "source", "roles", "steps")
SCENARIO_KEYS = {*REQUIRED_KEYS, "session", "product", "start", "numbers", "store", "settings"}
STEP_KEYS = {"at", "peer", "chunk_size", "user", "raises", "expect", "events"}
STORE_KEYS = {"max_messages", "max_age_hours"}
STARTS = ("fresh", "logged on")
PEER_WORDS = ("eof", "stops reading", "reads again")
USER_WORDS = (
    "connect",
    "accept",
    "refuse",
    "send",
    "test_request",
    "reset",
    "logout",
    "abort",
    "stops fetching",
    "fetches again",
    "confirm",
    "restart",
)
CALLS_WITH_TEXT = {"refuse", "abort"}
CALLS_WITHOUT_ARGUMENT = {"connect", "restart", "confirm"}


def roles(path: Path) -> tuple[Role, ...]:
    """Return the roles in which our side plays a scenario."""
    with _located(path):
        return _roles(_tree(path))


def load(path: Path, role: Role) -> Scenario:
    """Read a scenario for our side in this role."""
    with _located(path):
        tree = _tree(path)
        if role not in _roles(tree):
            raise ScenarioError(f"has no role {role.value} for our side")
        return _Reader(tree, path, role).scenario()


@contextmanager
def _located(path: Path) -> Iterator[None]:
    """Add the file name to every ScenarioError."""
    try:
        yield
    except ScenarioError as error:
        raise ScenarioError(f"{path.parent.name}/{path.name}: {error}") from None


@cache
def _tree(path: Path) -> Mapping:
    tree = numbered_yaml.read(path.read_text("utf-8"))
    if not isinstance(tree, Mapping):
        raise ScenarioError("must be a mapping with title, source, roles and steps")
    _check_keys(tree, SCENARIO_KEYS, REQUIRED_KEYS)
    return tree


def _check_keys(mapping: Mapping, known: Iterable[str], required: Iterable[str] = ()) -> None:
    for key in mapping:
        if key not in known:
            raise ScenarioError(
                f"line {mapping.line}: {key} is not known here; use {', '.join(sorted(known))}"
            )
    for key in required:
        if key not in mapping:
            raise ScenarioError(f"line {mapping.line}: {key} is missing")


def _roles(tree: Mapping) -> tuple[Role, ...]:
    raw = tree["roles"]
    if raw == "both":
        return tuple(Role)
    for role in Role:
        if raw == role.value:
            return (role,)
    raise ScenarioError(f"roles must be initiator, acceptor or both, not {raw}")


def _choose(raw: Any, known: tuple[str, ...], key: str) -> str:
    if raw not in known:
        raise ScenarioError(f"{key} must be one of {', '.join(known)}, not {raw}")
    return str(raw)


def _split_argument(raw: Any, default: Any) -> tuple[Any, Any]:
    """Split `word: argument` into the word and its argument; a word alone has the default argument."""
    if isinstance(raw, Mapping) and len(raw) == 1:
        return next(iter(raw.items()))
    return raw, default


class _Reader:
    """Reads one scenario for one role."""

    def __init__(self, tree: Mapping, path: Path, role: Role) -> None:
        self._tree = tree
        self._path = path
        self._role = role
        self._session = str(tree.get("session", "KalshiRT"))
        self._dialect: Dialect = words.dialect_of(self._session)

    def scenario(self) -> Scenario:
        tree = self._tree
        settings = {name: words.setting(name, value) for name, value in tree.get("settings", {}).items()}
        if self._dialect.name == "kalshi":
            settings["product"] = tree.get("product", "prediction")
        elif "product" in tree:
            raise ScenarioError(f"{self._dialect.name} has no products")
        title = tree["title"]
        if not isinstance(title, str) or not title.endswith("."):
            raise ScenarioError("title must be a sentence that ends with a full stop")
        if not isinstance(tree["steps"], list) or not tree["steps"]:
            raise ScenarioError("steps must be a list with at least one step")
        return Scenario(
            path=self._path,
            title=title,
            role=self._role,
            dialect=self._dialect,
            session_type=self._dialect.session_types[self._session],
            settings=settings,
            store=self._store(),
            logged_on=_choose(tree.get("start", STARTS[0]), STARTS, "start") == STARTS[1],
            steps=tuple(self._step(number, raw) for number, raw in enumerate(tree["steps"], 1)),
        )

    def _store(self) -> dict[str, Any]:
        numbers = self._tree.get("numbers", Mapping(0))
        _check_keys(numbers, ("incoming", "outgoing"))
        raw = self._tree.get("store", Mapping(0))
        _check_keys(raw, STORE_KEYS)
        store = {f"next_{name}": number for name, number in numbers.items()}
        if "max_messages" in raw:
            store["max_messages"] = raw["max_messages"]
        if "max_age_hours" in raw:
            store["max_age"] = timedelta(hours=raw["max_age_hours"])
        return store

    def _step(self, number: int, raw: Any) -> Step:
        if not isinstance(raw, Mapping):
            raise ScenarioError(f"step {number} must be a mapping of at, peer, user, expect, events")
        try:
            _check_keys(raw, STEP_KEYS)
            at = raw.get("at")
            if at is not None and (isinstance(at, bool) or not isinstance(at, int | float)):
                raise ScenarioError(f"at must be a number of seconds, not {at}")
            return Step(
                number=number,
                line=raw.line,
                at=None if at is None else float(at),
                action=self._action(raw),
                raises=self._raises(raw["raises"]) if "raises" in raw else None,
                expect=tuple(self._pattern(item, by_us=True) for item in _items(raw, "expect")),
                events=tuple(self._event(item) for item in _items(raw, "events")),
            )
        except ScenarioError as error:
            raise ScenarioError(f"step {number} (line {raw.line}): {error}") from None

    def _action(self, step: Mapping) -> Action | None:
        if "peer" in step and "user" in step:
            raise ScenarioError("a step must not have both peer and user")
        if "chunk_size" in step and "peer" not in step:
            raise ScenarioError("chunk_size requires peer")
        if "raises" in step and "user" not in step:
            raise ScenarioError("raises requires user")
        if "peer" in step:
            return self._peer(step["peer"], step.get("chunk_size"))
        if "user" in step:
            return self._user(step["user"])
        if "at" not in step:
            raise ScenarioError("a step with neither peer nor user must have at")
        return None

    # --- actions of the peer ----------------------------------------------------------------------------

    def _peer(self, raw: Any, chunk_size: Any) -> Action:
        if isinstance(raw, str):
            word = _choose(raw, PEER_WORDS, "peer")
            return PeerDisconnect() if word == "eof" else Switch("is_reading", word == "reads again")
        if chunk_size is not None and (not isinstance(chunk_size, int) or chunk_size < 1):
            raise ScenarioError(f"chunk_size must be a number of bytes, not {chunk_size}")
        items = raw if isinstance(raw, list) else [raw]
        return PeerInput(tuple(self._part(item) for item in items), chunk_size)

    def _part(self, raw: Any) -> MessageSpec | bytes:
        if not isinstance(raw, Mapping):
            raise ScenarioError("peer must be a mapping with type and fields, or with bytes")
        if "bytes" in raw:
            _check_keys(raw, ("bytes", "times"))
            return str(raw["bytes"]).replace("|", "\x01").encode("latin-1") * int(raw.get("times", 1))
        return self._message_spec(raw, by_us=False)

    def _message_spec(self, raw: Mapping, *, by_us: bool) -> MessageSpec:
        body = str(raw.get("body", ""))
        if body and not body.endswith("|"):
            raise ScenarioError("body must end with |")
        rest = {key: value for key, value in raw.items() if key != "body"}
        return MessageSpec(self._fields(rest, by_us=by_us, complete=True), body)

    # --- user actions -----------------------------------------------------------------------------------

    def _user(self, raw: Any) -> Action:
        word, argument = _split_argument(raw, None)
        name = _choose(word, USER_WORDS, "user")
        if name in ("stops fetching", "fetches again"):
            return Switch("is_fetching", name == "fetches again")
        if name == "send":
            if not isinstance(argument, Mapping):
                raise ScenarioError("send must have a message: type and fields")
            return UserCall(name, message=self._message_spec(argument, by_us=True))
        if name == "accept":
            fields = argument if isinstance(argument, Mapping) else Mapping(0)
            fields["type"] = "Logon"
            return UserCall(name, message=self._message_spec(fields, by_us=True))
        if argument is None and name in CALLS_WITH_TEXT:
            raise ScenarioError(f"{name} requires a text")
        if argument is not None and name in CALLS_WITHOUT_ARGUMENT:
            raise ScenarioError(f"{name} takes no argument")
        return UserCall(name, None if argument is None else str(argument))

    def _raises(self, raw: Any) -> tuple[str, str]:
        name, text = _split_argument(raw, "")
        if not isinstance(name, str) or not hasattr(errors, name):
            raise ScenarioError(f"the library has no exception {name}")
        return name, str(text)

    # --- expectations -----------------------------------------------------------------------------------

    def _event(self, raw: Any) -> EventPattern:
        name, attributes = _split_argument(raw, Mapping(0))
        kind = getattr(events, str(name), None)
        if kind is None or not isinstance(attributes, Mapping):
            raise ScenarioError(f"{name} is not an event, or its attributes are not a mapping")
        known = {field.name for field in kind.__attrs_attrs__}
        known |= {name for name, value in vars(kind).items() if isinstance(value, property)}
        _check_keys(attributes, known)
        return EventPattern(name, {key: self._attribute(key, value) for key, value in attributes.items()})

    def _attribute(self, name: str, raw: Any) -> Any:
        if isinstance(raw, Mapping) and set(raw) != {"contains"}:
            return self._pattern(raw, by_us=name == "sent")
        if isinstance(raw, Mapping):
            return words.value_of(raw)
        return raw

    def _pattern(self, raw: Any, *, by_us: bool) -> Fields:
        if not isinstance(raw, Mapping):
            raise ScenarioError(f"a message must be a mapping with type and fields, not {raw!r}")
        return self._fields(raw, by_us=by_us, complete=False)

    def _fields(self, raw: dict[str, Any], *, by_us: bool, complete: bool) -> Fields:
        """Read a message. With `complete`, a message of type Application (a placeholder) or NewOrderSingle
        starts with its sample fields."""
        fields: dict[int, Value] = {}
        if "type" in raw:
            name = str(raw["type"])
            template = words.sample(self._dialect, name, by_client=by_us is (self._role is Role.INITIATOR))
            if template is None:
                fields[words.MSG_TYPE] = words.msg_type_of(self._dialect, name)
            else:
                fields = template if complete else {words.MSG_TYPE: template[words.MSG_TYPE]}
        elif "MsgType" not in raw:
            raise ScenarioError("a message must have a type")
        for key, value in raw.items():
            if key != "type":
                fields[words.tag_of(self._dialect, key)] = words.value_of(value)
        return tuple(fields.items())


def _items(step: Mapping, key: str) -> list[Any]:
    raw = step.get(key, [])
    if not isinstance(raw, list):
        raise ScenarioError(f"{key} must be a list")
    return raw
