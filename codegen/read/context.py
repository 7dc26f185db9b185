"""State shared by all steps that resolve a spec, and functions that read values from its nodes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import attrs

from codegen import model
from codegen.errors import Mistakes
from codegen.naming import FIX_NAME
from codegen.read.load import Definition, MergedSpec
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.names import did_you_mean, nearest
from kalshi_fix_adapters.documents.nodes import Map, Node, Scalar, Seq

# A day, or a month if the day is unknown. Any other text is a version.
_DATE = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?\Z")


@attrs.define
class Context:
    """A spec, and the mistakes found in it so far."""

    spec: MergedSpec
    mistakes: Mistakes
    products: tuple[str, ...] = ()
    sessions: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    """Session types, each with its products (empty: all)."""

    @property
    def terse(self) -> bool:
        """Whether the manifest allows fields without doc."""
        return flag(self.spec.manifests[-1], "terse")

    def require(self, name: str, known: Collection[str], kind: str, location: Location) -> bool:
        """Return whether a name is known; if not, record a mistake."""
        return self.check_among(name, known, location, f"{kind} `{name}` is not defined")

    def check_among(self, name: str, known: Collection[str], location: Location, problem: str) -> bool:
        """Return whether a name is known; if not, record a mistake with this problem, and with the nearest
        known name as advice.
        """
        if name not in known:
            self.mistakes.add(location, problem, did_you_mean(name, known))
        return name in known

    def check_name(self, defined: Definition) -> None:
        """Record a mistake if a name is not a FIX name."""
        if not FIX_NAME.match(defined.name):
            what = f"`{defined.name}` is not a FIX name"
            advice = "use letters and digits, beginning with a capital letter"
            self.mistakes.add(defined.location, what, advice)

    def element_arguments(
        self, node: Map, default: Node | None, label: str, location: Location
    ) -> dict[str, Any]:
        """Return the arguments of `model.Element` for an element; `default` is the `source` of its file, and
        `label` names the element in a mistake.
        """
        return {
            "source": self.sources(node, default, label, location),
            "location": location,
            "pedigree": self.pedigree(node),
            "why": text(node, "why"),
        }

    def sources(self, node: Map, default: Node | None, label: str, location: Location) -> str:
        """Return the `source` of an element or of its file, checked against the manifest's list."""
        # The element's own source replaces the file's.
        own_source = node.get("source")
        names = words(own_source if own_source is not None else default)
        defined = self.spec.merged("sources")
        for name, where in names:
            self.require(name, defined, "source", where)
        if not names:
            advice = "add `source`, here or at the top of the file, with a name from the manifest's `sources`"
            self.mistakes.add(location, f"{label} has no source", advice)
        return ", ".join(name for name, _ in names)

    def pedigree(self, node: Map) -> model.Pedigree:
        """Return the pedigree from an element's `since`, `changed`, `deprecated` and `until`, with dates from
        `versions`.
        """
        changes: list[model.Change] = []
        since = node.get("since")
        if isinstance(since, Scalar):
            changes.append(self._change("added", since.text, "", since.location))
        # In chronological order; `since` is a single date or version, the other keys may contain several.
        for key, kind in (("changed", "updated"), ("deprecated", "deprecated"), ("until", "removed")):
            each = node.get(key)
            if isinstance(each, Map):
                changes.extend(self._change(kind, name, _note(each, name), each.at(name)) for name in each)
        return model.Pedigree(tuple(changes))

    def past(self, node: Map, pedigree: model.Pedigree, key: str) -> Iterator[tuple[model.Change, Node]]:
        """Yield the changes whose entry in `changed` contains this key, each with the key's value."""
        changed = node.mapping("changed")
        updates = (change for change in pedigree.changes if change.kind == "updated")
        for name, change in zip(changed, updates, strict=True):
            earlier = changed.mapping(name).get(key)
            if earlier is not None:
                yield change, earlier

    def _change(self, kind: str, when: str, note: str, location: Location) -> model.Change:
        versions = self.spec.merged("versions")
        if _DATE.match(when):
            if not _is_valid_date(when):
                self.mistakes.add(location, f"`{when}` is not a valid date", "correct it")
            return model.Change(kind, None, when, note)
        if when not in versions:
            near = nearest(when, versions)
            alternative = f", or write `{near}`" if near else ""
            advice = f"add it to the manifest's `versions` with its date{alternative}"
            self.mistakes.add(location, f"version `{when}` is not defined", advice)
            return model.Change(kind, when, None, note)
        node = versions[when][0]
        written = node.text if isinstance(node, Scalar) else ""
        if not _is_valid_date(written):
            what = f"version `{when}` has the date `{written}`, which is not valid"
            self.mistakes.add(node.location, what, "correct it")
        return model.Change(kind, when, written, note)


def _is_valid_date(written: str) -> bool:
    """Return whether a date or a month exists."""
    try:
        date.fromisoformat(written if len(written) > len("2026-10") else f"{written}-01")
    except ValueError:
        return False
    return True


def _note(changes: Map, name: str) -> str:
    """Return the text of a change. The change is a mapping if it contains the earlier state."""
    return text(changes, name) or text(changes.mapping(name), "note")


def text(node: Map, key: str, default: str = "") -> str:
    """Return a scalar of a mapping as written, or the default."""
    value = optional_text(node, key)
    return default if value is None else value


def optional_text(node: Map, key: str) -> str | None:
    """Return a scalar of a mapping as written, or None."""
    value = node.get(key)
    return value.text if isinstance(value, Scalar) else None


def integer(node: Map, key: str) -> int | None:
    """Return an integer of a mapping; None if it is absent or not an integer."""
    value = node.get(key)
    return value.value if isinstance(value, Scalar) and isinstance(value.value, int) else None


def flag(node: Map, key: str, default: bool = False) -> bool:
    """Return a boolean of a mapping, or the default."""
    value = node.get(key)
    return value.value is True if isinstance(value, Scalar) else default


def words(node: Node | None) -> list[tuple[str, Location]]:
    """Return the words of a node, which is a word or a list of words, each with its location."""
    return [(item.text, item.location) for item in _items(node) if isinstance(item, Scalar)]


def maps(node: Node | None) -> list[Map]:
    """Return the mappings of a node, which is a mapping or a list of mappings."""
    return [item for item in _items(node) if isinstance(item, Map)]


def _items(node: Node | None) -> Sequence[Node]:
    return node.items if isinstance(node, Seq) else () if node is None else (node,)
