"""The three clients have the same interface: names, parameters (with order and defaults) and return types."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from types import ModuleType
from typing import Any

import pytest

MODULES = tuple(
    importlib.import_module(f"kalshi_fix_adapters.{name}") for name in ("blocking", "asyncio", "trio")
)
BLOCKING, *OTHERS = MODULES
pytestmark = pytest.mark.parametrize("module", OTHERS, ids=lambda module: module.__name__)

FACTORIES = ("order_entry", "drop_copy", "market_data", "post_trade", "rfq")
STREAMS = frozenset({"events", "messages"})
NON_WAITING = frozenset(
    {
        "confirm",
        "record_spending",
        "reset_numbers",
        "send_nowait",
        "sent_request",
        "set_numbers",
        "stop_reconnecting",
        *FACTORIES,
    }
)
"""Methods that never wait, and are therefore ordinary functions in every client."""


def methods(module: ModuleType) -> dict[str, Any]:
    """Return a client's public methods by name."""
    return {name: member for name, member in inspect.getmembers(module.Client) if not name.startswith("_")}


def parameters(function: Any) -> list[tuple[str, object, object, str]]:
    return [
        (name, parameter.kind, parameter.default, parameter.annotation)
        for name, parameter in inspect.signature(function).parameters.items()
    ]


def return_type(function: Any) -> str:
    """Return a function's annotated return type."""
    return str(inspect.signature(function).return_annotation)


def test_clients_have_the_same_methods_with_the_same_parameters(module: ModuleType) -> None:
    expected, found = methods(BLOCKING), methods(module)
    assert list(found) == list(expected)
    for name, member in expected.items():
        if isinstance(member, property):
            assert isinstance(found[name], property)
            assert return_type(found[name].fget) == return_type(member.fget)
        else:
            assert parameters(found[name]) == parameters(member), name


def test_waiting_methods_are_coroutines_and_iterating_methods_return_iterators(module: ModuleType) -> None:
    for name, member in methods(module).items():
        if isinstance(member, property):
            continue
        is_waiting_method = name not in STREAMS | NON_WAITING | {"standby"}
        assert inspect.iscoroutinefunction(member) is is_waiting_method, name
        if is_waiting_method or name in NON_WAITING:
            assert return_type(member) == return_type(methods(BLOCKING)[name]), name
        else:
            found = return_type(member).replace("Stream", "Iterator").replace("AbstractAsync", "Abstract")
            assert found == return_type(methods(BLOCKING)[name])


@pytest.mark.parametrize("name", FACTORIES)
def test_the_client_factories_have_the_same_signatures(module: ModuleType, name: str) -> None:
    ours, theirs = getattr(module, name), getattr(BLOCKING, name)
    assert inspect.signature(ours) == inspect.signature(theirs)
    assert inspect.getdoc(ours) == inspect.getdoc(theirs)


def test_every_adapter_documents_the_same_script(module: ModuleType) -> None:
    """The example at the head of a module is the blocking example, adapted to the loop."""
    assert script(module).replace("async ", "").replace("await ", "") == script(BLOCKING)


def script(module: ModuleType) -> str:
    text = (inspect.getdoc(module) or "").split("\n\n")[1]
    ast.parse(f"async def main():\n{textwrap.indent(textwrap.dedent(text), ' ')}")
    return text
