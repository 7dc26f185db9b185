"""The Python code and the commands in the documentation run as shown, here or in the tests in `SHELL`."""

from __future__ import annotations

import logging
import os
import re
import shlex
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from kalshi_fix_adapters.cli.commands import commands, subcommands
from kalshi_fix_adapters.observe.observer import ALERT_EVENTS
from kalshi_fix_sansio import KalshiFixError, _generated
from tests.programs import PATH, run_program, run_tests

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
STANDBY = DOCS / "how-to" / "standby.md"  # tests/failover runs the example of this page
METRICS = DOCS / "how-to" / "metrics.md"
BUS = {
    DOCS / "how-to" / name for name in ("fan-out.md", "session-process.md")
}  # tests/adapters/bus_nats runs these pages
ROOT = DOCS.parent
SHELL = {
    "README.md": "tests/test_tutorial.py",
    "docs/command-line.md": "tests/test_project_docs.py",
    "docs/how-to/another-venue.md": "tests/codegen/test_another_venue.py",
    "docs/how-to/dictionaries.md": "tests/test_project_docs.py",
    "docs/how-to/fan-out.md": "tests/adapters/cli/test_bus.py",
    "docs/how-to/production.md": "tests/test_production_page.py",
    "docs/how-to/recover.md": "tests/test_examples.py",
    "docs/how-to/session-process.md": "tests/adapters/bus_nats/test_example.py",
    "docs/how-to/standby.md": "tests/failover/test_takeover.py",
    "docs/simulated-venue.md": "tests/venue/web/test_page.py",
    "docs/store-postgres.md": "tests/adapters/store_postgres/test_keys.py",
    "docs/store.md": "tests/adapters/cli/test_store.py",
    "docs/tutorial/crash.md": "tests/test_tutorial.py",
    "docs/tutorial/index.md": "tests/test_tutorial.py",
    "docs/tutorial/quoting.md": "tests/test_tutorial.py",
    "tests/simulation/README.md": "tests/simulation/test_simulation.py",
}
"""Pages with shell commands other than installation commands, and the test that runs them."""
INSTALL_COMMAND = re.compile(
    r"(git clone|cd|mkdir|python3 -m venv|(\.venv/bin/)?pip install|source \.venv/bin/activate"
    r"|\.venv/bin/pre-commit install|make) "
)


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Restore the logging settings that a page changes."""
    loggers = [logging.getLogger(name) for name in (None, "kalshi_fix_adapters.wire")]
    before = [(logger.level, [*logger.handlers]) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


def python_blocks(page: Path) -> list[str]:
    """Return the Python blocks on a page, in order, including those in tabs."""
    blocks = re.finditer(r"^( *)```python\n(.*?)^\1```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block[2]) for block in blocks]


def run_page(page: Path) -> dict[str, object]:
    """Run the Python code on a page from top to bottom, one tab after the other; return its variables."""
    namespace: dict[str, object] = {"__name__": page.stem}
    exec(compile("\n".join(python_blocks(page)), str(page), "exec"), namespace)
    return namespace


@pytest.mark.parametrize(
    "page",
    [
        page
        for page in PAGES
        if python_blocks(page) and page.parent.name != "tutorial" and page not in {METRICS, STANDBY, *BUS}
    ],
)
def test_the_python_code_on_a_page_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A page may import the example that it describes.
    monkeypatch.syspath_prepend(str(DOCS.parent / "examples"))
    run_page(page)


def test_the_metrics_page_runs_and_its_alerts_use_exported_metrics() -> None:
    namespace = run_page(METRICS)
    page = METRICS.read_text("utf-8")
    [rules] = re.findall(r"^```yaml.*?\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    alerts = {rule["alert"]: rule["expr"] for rule in yaml.safe_load(rules)["groups"][0]["rules"]}
    scraped = str(namespace["scraped"])
    for metric in re.findall(r"\bfix_\w+", " ".join(alerts.values())):
        assert f"\n{metric}{{" in scraped
    watched = {
        name
        for names in re.findall(r'event=~?"(.*?)"', " ".join(alerts.values()))
        for name in names.split("|")
    }
    assert watched == {kind.__name__ for kind in ALERT_EVENTS}
    # The metrics of the bus need a server; `tests/adapters/observe/test_metrics.py` checks them.
    exported = set(re.findall(r"^ *\| `(fix_(?!bus_)\w+)` \|", page, re.MULTILINE))
    types = re.findall(r"^# TYPE (fix_\w+) ", scraped, re.MULTILINE)
    # An earlier test of the bus may have registered its metrics in this process.
    assert exported == {
        name for name in types if not name.endswith("_created") and not name.startswith("fix_bus_")
    }
    assert set(re.findall(r"^\| `(Fix\w+)` \|", page, re.MULTILINE)) == set(alerts)


@pytest.mark.parametrize(("name", "commands"), [("decode.md", 3), ("trace.md", 1)])
def test_a_page_shows_the_output_of_its_commands(name: str, commands: int, tmp_path: Path) -> None:
    page = (DOCS / name).read_text("utf-8")
    blocks = dict(re.findall(r"^```text title=\"(.*?)\"\n(.*?)^```", page, re.DOTALL | re.MULTILINE))
    shown = {title: blocks.pop(title) for title in [*blocks] if title.startswith("kalshi-fix ")}
    assert len(shown) == commands
    for log, text in blocks.items():
        (tmp_path / log).write_text(text, encoding="utf-8")
    for title, text in shown.items():
        words = title.split()[1:]
        environ = {**os.environ, "COLUMNS": "80"}
        printed = run_program(
            sys.executable, "-m", "kalshi_fix_adapters.cli", *words, cwd=tmp_path, env=environ
        )
        # The `decode` commands without `--orders` find problems, so they exit with 1.
        assert printed.returncode == (words[0] == "decode" and "--orders" not in words)
        assert printed.stderr == ""
        assert printed.stdout.strip() == text.strip()


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(
        r"^ +- (?:.*: )?(\S+\.md)$", (DOCS.parent / "mkdocs.yml").read_text("utf-8"), re.MULTILINE
    )
    pages = (page.relative_to(DOCS).as_posix() for page in PAGES)
    # The index of the reference links to every message and every tag.
    assert sorted(listed) == sorted(
        page for page in pages if not page.startswith(("reference/messages/", "reference/tags/"))
    )


def test_the_tabs_show_the_current_examples() -> None:
    page = (DOCS / "clients.md").read_text("utf-8")
    tabs = re.findall(
        r'^=== "(\w+)"\n\n    ```py title="(.*?)"\n(.*?)^    ```$', page, re.DOTALL | re.MULTILINE
    )
    assert [name for name, *_ in tabs] == ["blocking", "asyncio", "trio"]
    for _, path, shown in tabs:
        script = (DOCS.parent / path).read_text("utf-8")
        assert textwrap.dedent(shown) == script


def test_the_tests_shown_on_the_simulated_venue_page_pass(tmp_path: Path) -> None:
    page = (DOCS / "simulated-venue.md").read_text("utf-8")
    tabs = re.findall(
        r'^=== "(\w+)"\n\n    ```py title="test_fill.*?\n(.*?)^    ```$', page, re.DOTALL | re.MULTILINE
    )
    assert [loop for loop, _ in tabs] == ["blocking", "asyncio", "trio"]
    for loop, test in tabs:
        (tmp_path / f"test_{loop}.py").write_text(textwrap.dedent(test), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    assert "4 passed" in run_tests(tmp_path, "-p", "kalshi_fix_venue.pytest_plugin")


def test_the_maker_test_passes_with_two_workers(tmp_path: Path) -> None:
    page = (DOCS / "how-to" / "testing.md").read_text("utf-8")
    [test] = re.findall(r'^```py title="test_rfq.py"\n(.*?)^```$', page, re.DOTALL | re.MULTILINE)
    for name in ("test_rfq.py", "test_again.py"):
        (tmp_path / name).write_text(test, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    assert "2 passed" in run_tests(tmp_path, "-n", 2, "-p", "kalshi_fix_venue.pytest_plugin")


def all_subclasses(base: type[Exception]) -> set[type[Exception]]:
    """Return every imported subclass of an exception class."""
    return {found for subclass in base.__subclasses__() for found in (subclass, *all_subclasses(subclass))}


def test_the_exceptions_page_lists_every_exception() -> None:
    import_module("kalshi_fix_adapters.errors")
    page = (DOCS / "exceptions.md").read_text("utf-8")
    named = {
        name
        for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    ours = {
        error.__name__ for error in all_subclasses(KalshiFixError) if error.__module__.endswith(".errors")
    }
    assert ours - named == {"AdapterError", "ReconcileError"}
    assert named <= ours


@pytest.mark.parametrize(
    "module",
    [
        "kalshi_fix_sansio",
        "kalshi_fix_adapters.asyncio",
        "kalshi_fix_adapters.blocking",
        "kalshi_fix_adapters.bus_nats",
        "kalshi_fix_adapters.logs",
        "kalshi_fix_adapters.store_postgres",
        "kalshi_fix_adapters.store_sqlite",
        "kalshi_fix_venue.testing",
        "kalshi_fix_adapters.trio",
    ],
)
def test_every_public_name_is_in_the_api_pages(module: str) -> None:
    """The state machines are listed under their package; the dialect has separate pages."""
    pages = (DOCS / "exceptions.md").read_text("utf-8")
    pages += "\n".join(page.read_text("utf-8") for page in (DOCS / "api").glob("*.md"))
    assert "::: kalshi_fix_adapters.errors" in pages
    shown = {"KalshiFixError", *(error.__name__ for error in all_subclasses(KalshiFixError))} | {
        name.rpartition(".")[2] for name in re.findall(r"^::: (\S+)$", pages, re.MULTILINE)
    }
    assert "kalshi_fix_sansio.trading" in pages
    public = (
        set(import_module(module).__all__) - set(_generated.__all__) - {"MARGIN", "MARKETS", "PREDICTION"}
    )
    assert public - shown == set()


@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("../README.md", "first_order.py"),
        ("index.md", "first_order.py"),
        ("how-to/production.md", "service.py"),
        ("how-to/standby.md", "standby.py"),
    ],
)
def test_a_page_shows_the_current_example(name: str, example: str) -> None:
    assert (DOCS.parent / "examples" / example).read_text("utf-8") in (DOCS / name).read_text("utf-8")


def test_the_command_line_page_lists_every_subcommand_with_a_valid_example() -> None:
    page = (DOCS / "command-line.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \|.*\| `kalshi-fix (.*)` \|$", page, re.MULTILINE))
    assert set(rows) == set(subcommands())
    for name, example in rows.items():
        words = shlex.split(example)
        assert words[0] == name
        # `--help` ends a command after the preceding arguments have been parsed.
        result = CliRunner().invoke(commands, [*words, "--help"])
        assert result.exit_code == 0, result.output
        for option in (word for word in words if word.startswith("--")):
            assert option in result.output


def commands_of(page: Path) -> Iterator[tuple[str, str]]:
    """Yield each block of shell commands with the paragraph before it."""
    text = page.read_text("utf-8")
    for block in re.finditer(r"^( *)```(?:sh|console|bash|shell)\b.*\n((?s:.*?))^\1```$", text, re.MULTILINE):
        yield text[: block.start()].rstrip().rpartition("\n\n")[2], textwrap.dedent(block[2])


def test_every_command_on_a_page_is_run_by_a_test_or_marked_as_untried() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    extras |= tomllib.loads((ROOT / "venue/pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    with_commands = set()
    for page in {*ROOT.glob("*.md"), *PAGES, *ROOT.glob("tests/**/README.md")}:
        for paragraph, block in commands_of(page):
            assert set(re.findall(r"^make ([a-z-]+)", block, re.MULTILINE)) <= set(
                re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
            ), block
            named = {extra for names in re.findall(r"\[([a-z,]+)\]", block) for extra in names.split(",")}
            assert named <= set(extras) or "$" in block, block
            if "untried" not in paragraph.lower() and not all(map(INSTALL_COMMAND.match, block.splitlines())):
                with_commands.add(page.relative_to(ROOT).as_posix())
    assert with_commands == set(SHELL)
    assert all((ROOT / test).is_file() for test in SHELL.values())


@pytest.mark.parametrize(
    ("page", "lines", "written"),
    [
        ("how-to/dictionaries.md", 3, ["dictionaries/FIX50SP2.xml", "margin/FIXT11.xml", "orchestra.xml"]),
        ("command-line.md", 1, []),  # the others are for shells that may not be installed
    ],
)
def test_commands_on_a_page_run(page: str, lines: int, written: list[str], tmp_path: Path) -> None:
    [(_, block)] = commands_of(DOCS / page)
    done = run_program(
        "bash", "-euc", "\n".join(block.splitlines()[:lines]), cwd=tmp_path, env={"PATH": PATH}
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert all((tmp_path / name).is_file() for name in written)


def test_every_command_and_option_has_a_help_text() -> None:
    todo: list[tuple[str, click.Command]] = [("kalshi-fix", commands)]
    for name, command in todo:
        assert command.help, name
        options = [param for param in command.params if isinstance(param, click.Option)]
        assert [option.opts for option in options if not option.help] == [], name
        if isinstance(command, click.Group):
            context = click.Context(command)
            for word in command.list_commands(context):
                found = command.get_command(context, word)
                assert found is not None
                todo.append((f"{name} {word}", found))
    assert len(todo) > len(subcommands())


def test_every_command_option_on_a_page_exists() -> None:
    named = 0
    pages = {DOCS.parent / "README.md", *DOCS.rglob("*.md")} - {DOCS / "bad-input.md"}
    for page in pages:
        called = re.findall(r"kalshi-fix ((?:[a-z][a-z-]* ?)+)([^`\n|#]*)", page.read_text("utf-8"))
        for words, rest in called:
            command: click.Command = commands
            context = click.Context(command)
            for word in words.split():
                found = command.get_command(context, word) if isinstance(command, click.Group) else None
                if found is None:
                    break
                command, context = found, click.Context(found, parent=context)
            options = {opt for known in command.get_params(context) for opt in known.opts}
            used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest))
            assert used <= options, f"{page.name}: kalshi-fix {words}"
            named += len(used)
    assert named > 10


def test_the_documented_completion_agrees_with_click() -> None:
    page = (DOCS / "command-line.md").read_text("utf-8")
    for shell in re.findall(r"_KALSHI_FIX_COMPLETE=(\w+)_source", page):
        result = CliRunner().invoke(
            commands, prog_name="kalshi-fix", env={"_KALSHI_FIX_COMPLETE": f"{shell}_source"}
        )
        assert "_KALSHI_FIX_COMPLETE" in result.output
