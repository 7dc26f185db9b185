"""One target under atheris, in a process of its own: `python -m fuzz.guided TARGET LIBFUZZER-ARGUMENTS`."""

from __future__ import annotations

import sys

import atheris

from fuzz.targets import TARGETS


def main() -> None:
    """Run libFuzzer, which does not come back."""
    target = TARGETS[sys.argv[1]]
    with atheris.instrument_imports(include=list(target.instrumented)):
        check = target.load()
    atheris.Setup([sys.argv[0], *sys.argv[2:]], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
