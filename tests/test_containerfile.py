"""The container file agrees with the project. These tests do not run a container."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from kalshi_fix_adapters.cli.commands import commands
from kalshi_fix_venue.cli import venue as venue_cli
from kalshi_fix_venue.server import all_ports
from kalshi_fix_venue.testing import Sandbox

ROOT = Path(__file__).resolve().parent.parent
LINES = [
    line for line in (ROOT / "Containerfile").read_text().splitlines() if line and not line.startswith("#")
]


def arguments_of(instruction: str) -> list[str]:
    return [line.partition(" ")[2] for line in LINES if line.startswith(f"{instruction} ")]


def test_the_python_version_of_the_image_is_tested() -> None:
    [image] = arguments_of("FROM")
    version = re.fullmatch(r"python:(3\.\d+)-slim", image)
    assert version is not None
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    assert f"Programming Language :: Python :: {version[1]}" in classifiers


def test_the_copied_files_include_the_sources_of_the_wheel() -> None:
    copied = {source for line in arguments_of("COPY") for source in shlex.split(line)[:-1]}
    assert all((ROOT / source).exists() for source in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {package.partition("/")[0] for package in wheel} <= copied
    assert {project["project"]["readme"], *project["project"]["license-files"]} <= copied


def test_the_image_installs_packages_with_the_options_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    first, second = arguments_of("RUN")
    for option in ("--require-hashes", "--no-deps", "requirements/run.txt"):
        assert option in first
        assert option in makefile
    assert "--no-build-isolation" in second
    # The build requirements of the wheel are pinned.
    assert re.search(r"^hatchling==", (ROOT / "requirements/run.txt").read_text(), re.MULTILINE)


def test_the_exposed_ports_are_those_of_the_venue() -> None:
    [ports] = arguments_of("EXPOSE")
    first, last = map(int, ports.split("-"))
    assert last - first + 1 == len(all_ports())
    assert f"127.0.0.1:{ports}:{ports}" in (ROOT / "Containerfile").read_text()


def test_the_service_container_in_the_docs_uses_the_ports_and_folder_of_the_image() -> None:
    page = (ROOT / "docs" / "how-to" / "testing.md").read_text("utf-8")
    [block] = [item for item in re.findall("```yaml\n(.*?)```", page, re.DOTALL) if "services:" in item]
    job = yaml.safe_load(block)["jobs"]["test"]
    service = job["services"]["venue"]
    [ports], [volume] = arguments_of("EXPOSE"), service["volumes"]
    assert service["ports"] == [f"{ports}:{ports}"]
    [entry] = arguments_of("ENTRYPOINT")
    arguments = json.loads(entry)
    folder = arguments[arguments.index("--folder") + 1]
    # env.sh contains absolute paths.
    assert volume == f"{folder}:{folder}"
    assert f"{folder}/env.sh" in job["steps"][1]["run"]


def test_the_command_of_the_image_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [entry] = arguments_of("ENTRYPOINT")
    program, *arguments = json.loads(entry)
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert program in scripts
    assert arguments[arguments.index("--first-port") + 1] == arguments_of("EXPOSE")[0].partition("-")[0]
    # This is the command of the image with different ports and a different folder.
    at = arguments.index("--first-port")
    arguments = [*arguments[:at], *arguments[at + 2 :]]
    arguments[arguments.index("--folder") + 1] = str(tmp_path / "venue")
    seen: list[tuple[str, str]] = []
    announce = venue_cli._announce

    def record(sandbox: Sandbox, *more: object) -> None:
        announce(sandbox, *more)  # type: ignore[arg-type]
        seen.append((sandbox.server.host, (tmp_path / "venue" / "env.sh").read_text()))

    monkeypatch.setattr(venue_cli, "_announce", record)
    monkeypatch.setattr(venue_cli, "_wait_for_signal", lambda: None)
    result = CliRunner().invoke(commands, arguments)
    assert result.exit_code == 0, result.output
    [(host, exports)] = seen
    assert host == "0.0.0.0"
    assert "KalshiNR=127.0.0.1:" in exports
    assert "0.0.0.0" not in exports
