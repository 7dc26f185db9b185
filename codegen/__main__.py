"""Entry point of `python -m codegen`."""

from __future__ import annotations

from codegen.cli import main

if __name__ == "__main__":
    main(prog_name="python -m codegen")
