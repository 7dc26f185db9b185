"""Lazy imports: a program loads only the modules that it uses."""

from __future__ import annotations

import pickle
import pydoc
import sys

import click
import pytest

import kalshi_fix_sansio
from kalshi_fix_adapters.cli.commands import commands, subcommands
from kalshi_fix_sansio import DIALECT, Header, MarketDataRequest, encode
from tests.programs import run_program

FAMILY_PREFIX = "kalshi_fix_sansio._generated.messages."


def loaded_modules(program: str, *arguments: str) -> set[str]:
    """Return the modules that a separate program has loaded when it ends."""
    code = f"{program}\nimport sys\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = run_program(sys.executable, "-c", code, *arguments)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines())


def families(modules: set[str]) -> set[str]:
    return {name.removeprefix(FAMILY_PREFIX) for name in modules if name.startswith(FAMILY_PREFIX)}


COMMAND = """
from kalshi_fix_adapters.cli import main
try:
    main()
except SystemExit:
    pass
"""


def test_importing_the_core_creates_no_message_class_and_imports_no_io_modules() -> None:
    modules = loaded_modules("import kalshi_fix_sansio; kalshi_fix_sansio.DIALECT.messages['UA'].flows")
    assert not families(modules)
    assert "kalshi_fix_sansio._generated.groups" not in modules
    assert not modules & {"asyncio", "click", "cryptography", "socket", "ssl", "yaml"}


def test_accessing_a_class_imports_its_family() -> None:
    assert families(loaded_modules("from kalshi_fix_sansio import AcceptQuote")) == {"rfq"}


def test_decoding_a_message_imports_its_family() -> None:
    frame = encode(MarketDataRequest.unsubscribe_all())
    program = f"import kalshi_fix_sansio as k\nassert k.decode({frame!r}).NAME == 'MarketDataRequest'"
    assert families(loaded_modules(program)) == {"market_data"}


def test_unpickling_a_message_imports_its_family() -> None:
    pickled = pickle.dumps(MarketDataRequest.subscribe("A"))
    program = f"import pickle\nassert pickle.loads({pickled!r}).related_sym[0].symbol == 'A'"
    assert families(loaded_modules(program)) == {"market_data"}


def test_every_name_of_the_package_exists_and_is_in_dir() -> None:
    names = kalshi_fix_sansio.__all__
    program = "from kalshi_fix_sansio import *; import kalshi_fix_sansio as k; list(map(eval, k.__all__))"
    assert len(families(loaded_modules(program))) > 5
    assert sorted(names) == dir(kalshi_fix_sansio)
    assert len(set(names)) == len(names)
    assert "class AcceptQuote" in pydoc.plain(pydoc.render_doc(kalshi_fix_sansio))


def test_classes_outside_the_dialect_have_no_layout() -> None:
    class Mine(MarketDataRequest):
        """A class outside the dialect with a MsgType of the dialect."""

    assert DIALECT.layout_of(Mine) is None
    assert DIALECT.layout_of(Header) is None


def test_a_session_type_is_found_by_its_service() -> None:
    found = [DIALECT.session_type_for("orders", resend=resend).resend for resend in (False, True)]
    assert found == [False, True]
    assert DIALECT.session_type_for("market_data").service == "market_data"
    with pytest.raises(KeyError, match="spot"):
        DIALECT.session_type_for("spot")
    with pytest.raises(KeyError, match="market_data"):
        DIALECT.session_type_for("market_data", resend=True)


def test_an_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'kalshi_fix_sansio' has no attribute 'Ordre'"):
        _ = kalshi_fix_sansio.Ordre  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'Ordre' from 'kalshi_fix_sansio'"):
        exec("from kalshi_fix_sansio import Ordre")


def test_concurrent_threads_get_the_same_class() -> None:
    program = """
import threading, kalshi_fix_sansio as k
start, found = threading.Barrier(8), []
def access():
    start.wait()
    found.append((k.QuoteRequest, k.DIALECT.messages["R"].cls, k.DIALECT.messages["R"].body.encode))
threads = [threading.Thread(target=access) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(found) == 8 and len(set(found)) == 1
"""
    assert families(loaded_modules(program)) == {"rfq"}


def test_the_blocking_client_imports_only_the_modules_that_it_needs() -> None:
    modules = loaded_modules("import kalshi_fix_adapters.blocking")
    assert not families(modules)
    assert not modules & {
        "asyncio",
        "cryptography",
        "kalshi_fix_adapters.blocking.transport",
        "kalshi_fix_adapters.net.dial",
        "kalshi_fix_adapters.store_sqlite",
        "kalshi_fix_sansio._generated.groups",
        "kalshi_fix_sansio._generated.texts",
        "sqlite3",
        "ssl",
        "zoneinfo",
    }


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_the_command_shows_version_and_help_without_importing_the_core(option: str) -> None:
    ours = {name for name in loaded_modules(COMMAND, option) if name.startswith("kalshi_fix")}
    command = "kalshi_fix_adapters.cli"
    kit = {f"{command}.kit{name}" for name in ("", ".failures", ".subcommand")}
    registered = {"kalshi_fix_venue", "kalshi_fix_venue.cli"} if option == "--help" else set()
    assert ours == {"kalshi_fix_adapters", command, f"{command}.commands", *kit, *registered}


def test_a_subcommand_imports_only_the_modules_that_it_needs() -> None:
    modules = loaded_modules(COMMAND, "decode", "--help")
    assert "kalshi_fix_adapters.cli.logs.decode" in modules
    assert not modules & {"kalshi_fix_venue", "kalshi_fix_adapters.blocking", "cryptography", "ssl"}


def test_every_subcommand_can_be_loaded_and_is_listed() -> None:
    context = click.Context(commands)
    for name in subcommands():
        command = commands.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help
    assert commands.list_commands(context) == list(subcommands())
    assert commands.get_command(context, "commands") is None


def test_the_error_for_missing_packages_names_the_extra_to_install() -> None:
    code = "import sys; sys.modules['rich'] = None; from kalshi_fix_adapters.cli import main; main()"
    result = run_program(sys.executable, "-c", code, "decode", input="")
    assert "pip install 'kalshi-fix-sansio[cli]'" in result.stderr
    assert "Traceback" not in result.stderr
