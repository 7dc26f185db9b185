"""Read a spec folder, and the folders it extends, into named entries with their locations.

A folder contains `manifest.yaml` and, as needed, `datatypes.yaml`, `fields.yaml`, `codesets.yaml`,
`components.yaml`, `header.yaml`, `trailer.yaml`, `sessions.yaml`, `texts.yaml`, `limits.yaml` and
`messages/<family>.yaml`.
`differences.yaml`, `changelog.yaml` and `reviewed.yaml` are notes on its sources, for `codegen.diff`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

from codegen.errors import Mistakes, SpecError
from codegen.naming import is_module_name
from codegen.read import schema
from codegen.read.nodes import read_yaml
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_adapters.documents.nodes import Map, Node, Scalar, Seq

OTHER_FILES = frozenset({"examples.yaml", "downstream.yaml"})
"""Files of a spec folder that other parts of this program read."""

SECTIONS = (
    "datatypes",
    "fields",
    "codesets",
    "groups",
    "components",
    "sessions",
    "messages",
    "texts",
    "refusals",
    "limits",
)
"""Kinds of named elements of a dialect; fields, groups and components share one namespace."""

_NOTES = ("differences", "changelog", "reviewed")
"""Kinds of files about the sources. They are checked against the schema here, and read mainly by
`codegen.diff`.
"""
# The definition in the schema that each file must match.
_KINDS = {
    f"{kind}.yaml": kind
    for kind in ("datatypes", "fields", "codesets", "components", "sessions", "texts", *_NOTES)
}
_KINDS |= {"header.yaml": "block", "trailer.yaml": "block", "limits.yaml": "venue_limits"}

_MERGED_KEYS = ("members", "codes")
"""Mappings that `extend` merges by name instead of replacing them."""


@attrs.frozen
class Definition:
    """One named element as written, merged with the changes of extending folders."""

    name: str
    node: Map
    location: Location
    """Location of its name."""
    source: Node | None
    """`source` of its file, used if the element has none of its own."""
    family: str = ""
    """For messages, the stem of the file."""
    nested_sources: Mapping[str, Node | None] = attrs.field(factory=dict)
    """`source` of each member and code; empty unless an extending folder has changed the element."""

    def source_of(self, name: str) -> Node | None:
        """Return the `source` that applies to a member or code without one of its own."""
        return self.nested_sources.get(name, self.node.get("source") or self.source)


@attrs.define
class MergedSpec:
    """A spec folder merged with the ones it extends."""

    manifests: list[Map] = attrs.field(factory=list)
    """Manifests of the folders, the one that extends no other (the base) first."""
    families: list[str] = attrs.field(factory=list)
    sections: dict[str, dict[str, Definition]] = attrs.field(factory=lambda: {name: {} for name in SECTIONS})
    blocks: dict[str, Definition] = attrs.field(factory=dict)
    """`header` and `trailer`."""
    hosts: dict[str, Definition] = attrs.field(factory=dict)
    """The hosts, by environment."""
    notes: dict[str, list[Map]] = attrs.field(factory=lambda: {name: [] for name in _NOTES})
    """Files about the sources rather than the dialect, by kind, base first."""
    location: Location = attrs.field(factory=lambda: Location("", 1))
    """Manifest of the dialect itself."""

    def setting(self, key: str) -> Node | None:
        """Return a value from the manifest; extending folders take precedence."""
        return next((m.entries[key] for m in reversed(self.manifests) if key in m), None)

    def merged(self, key: str) -> dict[str, tuple[Node, Location]]:
        """Return a mapping merged from all manifests; extending folders take precedence."""
        values: dict[str, tuple[Node, Location]] = {}
        for manifest in self.manifests:
            node = manifest.get(key)
            if isinstance(node, Map):
                values.update({name: (node.entries[name], node.at(name)) for name in node})
        return values


def load(folder: Path) -> MergedSpec:
    """Read a spec folder and the ones it extends.

    Raises:
        SpecError: lists every file that cannot be read, does not match the schema, or defines a name twice.
    """
    mistakes = Mistakes()
    spec = MergedSpec()
    for path, manifest in _chain(folder, mistakes):
        _read_folder(path, manifest, spec, mistakes)
    mistakes.raise_any()
    return spec


def _chain(folder: Path, mistakes: Mistakes) -> list[tuple[Path, Map]]:
    """Return the folders from the base to the given one, with their manifests."""
    chain: list[tuple[Path, Map]] = []
    # `normpath` keeps symbolic links, unlike `Path.resolve`, so mistakes contain the paths as given.
    current = Path(os.path.normpath(folder))
    seen: set[Path] = set()
    while True:
        manifest = _read(current / "manifest.yaml", "manifest", mistakes)
        seen.add(current)
        if manifest is None:
            break
        # Base first, so that extending folders override it.
        chain.insert(0, (current, manifest))
        base = manifest.get("extends")
        if not isinstance(base, Scalar):
            break
        current = Path(os.path.normpath(current / base.text))
        if current in seen:
            mistakes.add(manifest.at("extends"), "the folder extends itself", "remove `extends`")
            break
        # `Path.is_file` would raise OSError for a name that is too long.
        if not os.path.isfile(current / "manifest.yaml"):  # noqa: PTH113
            what = f"`extends` names {base.text}, where there is no manifest.yaml"
            advice = "name the folder of the base dialect, relative to this one"
            mistakes.add(manifest.at("extends"), what, advice)
            break
    mistakes.raise_any()
    return chain


def _read(path: Path, kind: str, mistakes: Mistakes) -> Map | None:
    try:
        node = read_yaml(path)
    except SpecError as error:
        mistakes.found.extend(error.mistakes)
        return None
    return schema.validate(node, kind, mistakes)


def _read_folder(folder: Path, manifest: Map, spec: MergedSpec, mistakes: Mistakes) -> None:
    spec.manifests.append(manifest)
    spec.location = Location((folder / "manifest.yaml").as_posix(), 1)
    for name, kind in _KINDS.items():
        path = folder / name
        content = _read(path, kind, mistakes) if path.is_file() else None
        if content is None:
            continue
        if kind in _NOTES:
            spec.notes[kind].append(content)
        elif kind == "block":
            stem, default = path.stem, content.get("source")
            members = Map({"members": content.mapping("members")}, {}, content.location)
            replace, existing = content.get("replace"), spec.blocks.get(stem)
            # A header with `replace` replaces the base's; any other extends it.
            if existing is None or (isinstance(replace, Scalar) and replace.value is True):
                spec.blocks[stem] = Definition(stem, members, content.location, default)
            else:
                spec.blocks[stem] = _merge_change(existing, members, default)
        else:
            _add_content(content, kind, spec, mistakes)
    for family, path in _family_files(folder, manifest, mistakes):
        content = _read(path, "messages", mistakes)
        if family not in spec.families:
            spec.families.append(family)
        if content is not None:
            _add_content(content, "messages", spec, mistakes, family)
    # A misspelt file name would otherwise be ignored silently.
    for path in sorted(folder.glob("*.yaml")):
        if path.name not in _KINDS and path.name not in OTHER_FILES and path.name != "manifest.yaml":
            advice = f"rename it ({', '.join(sorted(_KINDS))}), or remove it"
            mistakes.add(Location(path.as_posix(), 1), "is an unknown file", advice)


def _family_files(folder: Path, manifest: Map, mistakes: Mistakes) -> Iterator[tuple[str, Path]]:
    families = manifest.get("families")
    names = [item for item in families.items if isinstance(item, Scalar)] if isinstance(families, Seq) else []
    present = {path.stem: path for path in sorted((folder / "messages").glob("*.yaml"))}
    for item in names:
        path = present.pop(item.text, None)
        if path is None:
            others = {each.text for each in names}
            unlisted = set(present) - others
            advice = did_you_mean(item.text, unlisted) if unlisted else "add the file"
            mistakes.add(item.location, f"family `{item.text}` has no messages/{item.text}.yaml", advice)
        elif not is_module_name(item.text):
            what = f"family `{item.text}` cannot name a Python module"
            mistakes.add(item.location, what, "use lower case letters, digits and _")
        else:
            yield item.text, path
    for stem, path in present.items():
        advice = f"add `{stem}` to `families` of {folder.as_posix()}/manifest.yaml, or remove the file"
        mistakes.add(Location(path.as_posix(), 1), "is an unknown file", advice)


def _add_content(content: Map, kind: str, spec: MergedSpec, mistakes: Mistakes, family: str = "") -> None:
    """Add the definitions of a file, and apply its changes."""
    default = content.get("source")
    for section in content:
        node = content.entries[section]
        if not isinstance(node, Map):
            continue
        for name in node:
            defined = Definition(name, node.mapping(name), node.at(name), default, family)
            if section in SECTIONS:
                _define(defined, section, spec, mistakes)
            elif section == "hosts":
                spec.hosts[name] = defined
            elif section == "extend":
                _extend(kind, name, node, spec, mistakes, default)


def _define(entry: Definition, section: str, spec: MergedSpec, mistakes: Mistakes) -> None:
    # A member is a field, a group or a component, so these three share one namespace.
    shared = ("fields", "groups", "components")
    for other in shared if section in shared else (section,):
        existing = spec.sections[other].get(entry.name)
        if existing is not None:
            what = f"`{entry.name}` is defined twice (first at {existing.location})"
            advice = "rename one of the two, or put the differences under `extend`"
            mistakes.add(entry.location, what, advice)
            return
    spec.sections[section][entry.name] = entry


def _extend(
    section: str, name: str, node: Map, spec: MergedSpec, mistakes: Mistakes, default: Node | None
) -> None:
    existing = spec.sections[section].get(name)
    if existing is None:
        what = f"`extend` names `{name}`, which is not among the {section} of the base"
        mistakes.add(node.at(name), what, did_you_mean(name, spec.sections[section]))
    else:
        spec.sections[section][name] = _merge_change(existing, node.mapping(name), default)


def _merge_change(existing: Definition, change: Map, default: Node | None) -> Definition:
    """Return an entry merged with a change from an extending folder; members and codes are merged by name."""
    entries, keys = dict(existing.node.entries), dict(existing.node.keys)
    # Each member and code keeps the `source` of the file that changed it last.
    sources = dict(existing.nested_sources)
    source = change.get("source") or default
    for key, value in change.entries.items():
        base = entries.get(key)
        if key in _MERGED_KEYS and isinstance(base, Map) and isinstance(value, Map):
            value = Map({**base.entries, **value.entries}, {**base.keys, **value.keys}, value.location)
        entries[key] = value
        keys[key] = change.at(key)
    for key in _MERGED_KEYS:
        # First the sources of the base's members, then the sources of added or changed members.
        for name in existing.node.mapping(key):
            sources.setdefault(name, existing.source_of(name))
        sources.update(dict.fromkeys(change.mapping(key), source))
    return attrs.evolve(existing, node=Map(entries, keys, existing.node.location), nested_sources=sources)
