"""Run one target with atheris, in a separate process: `python -m fuzz.guided TARGET LIBFUZZER-ARGUMENTS`."""

from __future__ import annotations

import sys

import atheris
from atheris.import_hook import HookManager

from fuzz.targets import TARGETS


class _AllModulesExcept(set[str]):
    """A set that contains every module outside some packages. It is needed because atheris itself can exclude
    only top-level packages."""

    def __init__(self, packages: tuple[str, ...]) -> None:
        super().__init__()
        self._packages = packages

    def __contains__(self, name: object) -> bool:
        return not any(f"{name}.".startswith(f"{package}.") for package in self._packages)


def main() -> None:
    """Run libFuzzer, which does not return."""
    target = TARGETS[sys.argv[1]]
    top_level_packages = {package.partition(".")[0] for package in target.instrumented}
    # `atheris.instrument_imports` would also trace every comparison. Tracing would take most of the time, and
    # would not help, because the compared values are not the input but choices derived from it.
    with HookManager(
        top_level_packages,
        _AllModulesExcept(target.instrumented),
        enable_loader_override=True,
        trace_dataflow=False,
    ):
        check = target.load()
    atheris.Setup([sys.argv[0], *sys.argv[2:]], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
