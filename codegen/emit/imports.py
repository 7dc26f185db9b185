"""The import block of a generated module, in the order that ruff's isort keeps."""

from __future__ import annotations

import attrs

# ruff sorts what is imported, so that the generated text has to have its order from the start.
THIRD_PARTY = ("attrs",)


@attrs.frozen
class ImportLine:
    """One statement: `import module`, or `from module import names`."""

    module: str
    names: tuple[str, ...] = ()
    line_each: bool = False
    """Whether each name has a line of its own, so that one more changes no other line."""


@attrs.define
class Imports:
    """Collects what a module uses."""

    _modules: set[str] = attrs.field(factory=set)
    _names: dict[str, set[str]] = attrs.field(factory=dict)
    _line_each: set[str] = attrs.field(factory=set)

    def module(self, module: str) -> None:
        """Use a whole module."""
        self._modules.add(module)

    def line_each(self, module: str, *names: str) -> None:
        """Use names from a module of which another spec may need others."""
        self._line_each.add(module)
        self.in_one_line(module, *names)

    def in_one_line(self, module: str, *names: str) -> None:
        """Use names from a module that every spec needs alike."""
        self._names.setdefault(module, set()).update(names)

    def sections(self) -> tuple[tuple[ImportLine, ...], ...]:
        """Return the statements: standard library, third party, this project; empty ones left out."""
        lines = [ImportLine(module) for module in sorted(self._modules)]
        lines += [
            ImportLine(module, tuple(sorted(names, key=import_key)), module in self._line_each)
            for module, names in sorted(self._names.items())
        ]
        sections = [[line for line in lines if _section(line.module) == section] for section in range(3)]
        return tuple(tuple(section) for section in sections if section)


def _section(module: str) -> int:
    top = module.partition(".")[0]
    if top in THIRD_PARTY:
        return 1
    # The modules of the standard library that generated code imports.
    return 0 if top in {"collections", "datetime", "decimal", "enum", "types", "typing"} else 2


def import_key(name: str) -> tuple[int, str, str]:
    """Order names in an import: constants, classes, then functions, each by name whatever its case."""
    return (_group(name), name.lower(), name)


def export_key(name: str) -> tuple[int, str]:
    """Order names in `__all__`: constants, classes, then functions, each by name, capitals first."""
    return (_group(name), name)


def _group(name: str) -> int:
    if len(name) > 1 and name.isupper():
        return 0
    return 1 if name[0].isupper() else 2
