"""The import block of a generated module, in the order of ruff's isort."""

from __future__ import annotations

import attrs

# The formatter does not sort imports, so the text is generated in ruff's order.
THIRD_PARTY = ("attrs",)


@attrs.frozen
class ImportLine:
    """One statement: `import module`, or `from module import names`."""

    module: str
    names: tuple[str, ...] = ()
    one_per_line: bool = False
    """Whether each name is on its own line, so that adding one changes no other line."""


class Imports:
    """Collector of a module's imports. Each of `statements` is a module and names to import on one line."""

    def __init__(self, *statements: tuple[str, ...]) -> None:
        self._names: dict[str, set[str]] = {}
        self._one_per_line: set[str] = set()
        for module, *names in statements:
            self.import_on_one_line(module, *names)

    def import_one_per_line(self, module: str, *names: str) -> None:
        """Import names that differ between specs, each on its own line."""
        self._one_per_line.add(module)
        self.import_on_one_line(module, *names)

    def import_on_one_line(self, module: str, *names: str) -> None:
        """Import names that every spec needs, on one line; without names, import the whole module."""
        self._names.setdefault(module, set()).update(names)

    def sections(self) -> tuple[tuple[ImportLine, ...], ...]:
        """Return the statements by section: standard library, third party, this project. Empty sections are
        omitted.
        """
        lines = [
            ImportLine(module, tuple(sorted(names, key=import_key)), module in self._one_per_line)
            for module, names in sorted(self._names.items())
        ]
        sections = [[line for line in lines if _section(line.module) == section] for section in range(3)]
        return tuple(tuple(section) for section in sections if section)


def _section(module: str) -> int:
    top = module.partition(".")[0]
    if top in THIRD_PARTY:
        return 1
    # Standard library modules that generated code imports.
    return 0 if top in {"collections", "datetime", "decimal", "enum", "types", "typing"} else 2


def import_key(name: str) -> tuple[int, str, str]:
    """Return the sort key of a name in an import: constants, classes, then functions, each
    case-insensitively.
    """
    return (_group(name), name.lower(), name)


def export_key(name: str) -> tuple[int, str]:
    """Return the sort key of a name in `__all__`: constants, classes, then functions, each by name,
    capitals first.
    """
    return (_group(name), name)


def _group(name: str) -> int:
    if len(name) > 1 and name.isupper():
        return 0
    return 1 if name[0].isupper() else 2
