"""Create a spec folder from QuickFIX data dictionaries, as a starting point for a dialect without a spec.

Tags, names, types, values, messages, groups and requirements are copied. Settings that a dictionary lacks are
added, so that code can be generated and a session can run: one session type with resend, and the constant
fields of the Logon. Components are expanded in place, because a required member of an optional component is
optional in the message. Content that a spec cannot express is left out and listed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import yaml

from codegen.errors import Mistakes
from codegen.files import write_files
from codegen.model import APPL_VER_IDS, CODED_KINDS
from codegen.naming import (
    FIX_NAME,
    attribute_name,
    code_name,
    is_attribute,
    is_class_name,
    list_attribute,
    snake_case,
)
from codegen.read.bounded_xml import Element
from codegen.read.quickfix_xml import DataDictionary, is_required, members, values
from kalshi_fix_adapters.documents.mistakes import Location, Mistake

SOURCE = "dictionary"
MAX_MEMBERS = 500_000
"""Maximum number of members in all blocks; members of a component count each time that it is used."""
MAX_NESTING = 32
"""Maximum depth of nested groups, and of nested components."""
_STANDARD_TYPES = Path(__file__).resolve().parents[2] / "spec" / "fixt11" / "datatypes.yaml"
_OTHER_TYPES = {
    "UTCDATE": "UTCDATEONLY",
    "DATE": "UTCDATEONLY",
    "TIME": "UTCTIMESTAMP",
    "MULTIPLEVALUESTRING": "MULTIPLESTRINGVALUE",
    "XID": "STRING",
    "XIDREF": "STRING",
    "TENOR": "STRING",
    "LOCALMKTTIME": "STRING",
}
"""Types from other versions of FIX, and types that are text in a specific format, each with the standard type
of the same form.
"""
# A value of these types contains several codes separated by spaces, which an enum cannot express.
_LIST_TYPES = frozenset({"MULTIPLECHARVALUE", "MULTIPLESTRINGVALUE", "MULTIPLEVALUESTRING"})
# Secrets are recognized by their names, because a dictionary does not mark them.
_SECRET_NAME = re.compile(r"(Password|RawData|SecureData|Signature)\Z")
_SESSION, _APPLICATION = "session", "application"


@attrs.frozen
class Import:
    """The files of a spec folder as text, by name, and a list of omitted content."""

    files: Mapping[str, str]
    notes: tuple[Mistake, ...]


def import_dictionaries(
    dictionaries: Sequence[DataDictionary], name: str, title: str, only: Iterable[str] = ()
) -> Import:
    """Return a spec folder for dictionaries. If the session layer has a separate file, it must be the first.

    `only` lists the application messages to import, by name or MsgType; if it is empty, all are imported.

    Raises:
        SpecError: no dictionary has a header, a message in `only` does not exist, or the dictionaries exceed
            `MAX_MEMBERS` or `MAX_NESTING`.
    """
    return _Importer(tuple(dictionaries), name, title, frozenset(only)).run()


@attrs.frozen
class _Member:
    """A field or a group after components have been expanded."""

    item: Element
    required: bool
    owner: str
    """Component or message that contains it."""


@attrs.define
class _Importer:
    dictionaries: tuple[DataDictionary, ...]
    name: str
    title: str
    only: frozenset[str]
    notes: list[Mistake] = attrs.field(factory=list)
    fields: dict[str, Element] = attrs.field(factory=dict)
    components: dict[str, Element] = attrs.field(factory=dict)
    used: dict[str, Element] = attrs.field(factory=dict)
    """Fields in the spec, by name."""
    types: dict[str, str] = attrs.field(factory=dict)
    """Kind by datatype."""
    lengths: dict[str, str] = attrs.field(factory=dict)
    """Length field of each data field."""
    groups: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    _shapes: dict[object, str] = attrs.field(factory=dict)
    _counted: set[str] = attrs.field(factory=set)
    """Fields that count a group, regardless of their type."""
    _used_names: set[str] = attrs.field(factory=set)
    """Names of fields, groups, messages and entry classes, which must be unique."""
    _noted: set[Mistake] = attrs.field(factory=set)
    _remaining: int = attrs.field(init=False, factory=lambda: MAX_MEMBERS)
    _depth: int = 0
    """Number of open groups."""

    def run(self) -> Import:
        for each in self.dictionaries:
            # The first dictionary takes precedence: fields of the session layer are also in the dictionary of
            # the application.
            self.fields = {**each.fields, **self.fields}
            self.components = {**each.components, **self.components}
        datatypes = self._datatypes()
        self.types = {name: datatype["kind"] for name, datatype in datatypes.items()}
        self._used_names = {*self.fields, *(message.name for message in self._messages())}
        self._find_lengths()
        header, trailer = self._header_and_trailer()
        blocks = {
            "header.yaml": self._block(header, "header"),
            "trailer.yaml": self._block(trailer, "trailer"),
        }
        families = {_SESSION: self._family(admin=True), _APPLICATION: self._family(admin=False)}
        families = {family: messages for family, messages in families.items() if messages}
        files: dict[str, object] = {
            "manifest.yaml": self._manifest(families),
            "datatypes.yaml": {"datatypes": datatypes},
            "sessions.yaml": self._sessions(),
            **{file: {"source": SOURCE, "members": members} for file, members in blocks.items()},
        }
        for family, messages in families.items():
            files[f"messages/{family}.yaml"] = {"source": SOURCE, "messages": messages}
        # All members are known now: unused groups, codesets and fields are not written.
        self._drop_unused(blocks.values(), families.values())
        files["components.yaml"] = {"source": SOURCE, "groups": self.groups}
        codesets = self._codesets()
        files["codesets.yaml"] = {"source": SOURCE, "codesets": codesets}
        files["fields.yaml"] = {"source": SOURCE, "fields": self._fields(codesets)}
        return Import({file: _text(content) for file, content in files.items()}, tuple(self.notes))

    # Files

    def _manifest(self, families: Mapping[str, object]) -> dict[str, Any]:
        files = ", ".join(each.path.name for each in self.dictionaries)
        editions = (each.edition for each in self.dictionaries if each.edition)
        edition = next(editions, self.dictionaries[0].version)
        return {
            "name": self.name,
            "title": self.title,
            "begin_string": self.dictionaries[0].version,
            "appl_ver_id": self._appl_ver_id(),
            "terse": True,
            "families": list(families),
            # In the same format as the sources that `codegen diff` compares.
            "sources": {SOURCE: f"dictionary {edition}, imported from {files}"},
        }

    def _appl_ver_id(self) -> str:
        return next(filter(None, map(_appl_ver_id, self.dictionaries)), "9")

    def _sessions(self) -> dict[str, Any]:
        session = {
            "purpose": "A standard session: missing messages are requested again.",
            "resend": True,
            "reset_required": False,
        }
        return {"source": SOURCE, "sessions": {self.dictionaries[0].root.get("type") or "FIX": session}}

    def _header_and_trailer(self) -> tuple[list[Element], list[Element]]:
        dictionary = next((each for each in self.dictionaries if each.block("header")), None)
        if dictionary is None:
            location = Location(self.dictionaries[0].path.as_posix(), 1)
            advice = "also pass the session-layer dictionary (FIXT11.xml)"
            Mistakes().fail(location, "no dictionary has a header with members", advice)
        return dictionary.block("header"), dictionary.block("trailer")

    def _messages(self) -> Iterator[Element]:
        defined: set[str] = set()
        for each in self.dictionaries:
            for message in each.messages:
                identifiers = {message.name, message.get("msgtype")}
                defined |= identifiers
                if _is_admin(message) or not self.only or identifiers & self.only:
                    yield message
        if undefined := self.only - defined:
            names = ", ".join(sorted(undefined))
            location = Location(self.dictionaries[-1].path.as_posix(), 1)
            Mistakes().fail(
                location, f"does not define {names}", "list only messages that the dictionary defines"
            )

    def _family(self, *, admin: bool) -> dict[str, Any]:
        family: dict[str, Any] = {}
        for message in self._messages():
            if _is_admin(message) is not admin:
                continue
            block = self._block(members(message), message.name)
            properties: dict[str, Any] = {
                "msg_type": message.get("msgtype"),
                "doc": f"{_spaced(message.name)}.",
            }
            if admin:
                properties["admin"] = True
            if message.name == "Logon":
                self._complete_logon(block)
            family[message.name] = {**properties, "members": block}
        return family

    def _complete_logon(self, block: dict[str, Any]) -> None:
        """Set the constants that a session always sends: no encryption, and the version of the messages."""
        constants = {"EncryptMethod": "0", "DefaultApplVerID": self._appl_ver_id()}
        for name, value in constants.items():
            if name in block:
                block[name] = {"constant": value}

    # Blocks

    def _block(self, items: list[Element], label: str) -> dict[str, Any]:
        """Return the members of a block; members that a parser could not distinguish are left out and
        noted.
        """
        block: dict[str, Any] = {}
        tags: set[str] = set()
        attributes: set[str] = set()
        for member in self._expand(items, label):
            item = member.item
            name, fields = self._member(item, member.owner)
            if name is None:
                continue
            # A parser stores fields by tag, and could not distinguish the two.
            if fields & tags:
                self._leave_out(item, label, f"{' and '.join(sorted(fields & tags))} would occur twice")
            elif (attribute := self._attribute(item)) in attributes:
                self._leave_out(item, label, f"its attribute {attribute} is taken")
            else:
                block[name] = "required" if member.required else "optional"
                tags |= fields
                attributes.add(attribute)
        return block

    def _expand(
        self, items: Iterable[Element], owner: str, *, required: bool = True, inside: tuple[str, ...] = ()
    ) -> Iterator[_Member]:
        """Yield the members of a block. A component is replaced by its members."""
        for item in items:
            self._remaining -= 1
            if self._remaining < 0 or len(inside) >= MAX_NESTING:
                bound = f"{MAX_MEMBERS} members" if self._remaining < 0 else f"{MAX_NESTING} levels"
                what = f"{owner} exceeds {bound} with its components expanded"
                Mistakes().fail(item.location, what, "remove unused elements")
            if item.kind != "component":
                yield _Member(item, required and is_required(item), owner)
            elif item.name in inside:
                self._leave_out(item, owner, "the component includes itself")
            elif item.name not in self.components:
                self._leave_out(item, owner, "there is no such component")
            else:
                yield from self._expand(
                    members(self.components[item.name]),
                    item.name,
                    required=required and is_required(item),
                    inside=(*inside, item.name),
                )

    def _member(self, item: Element, owner: str) -> tuple[str | None, set[str]]:
        """Return the name of a field or group in the spec, and all fields that it includes."""
        field = self.fields.get(item.name)
        if field is None:
            self._leave_out(item, owner, "there is no such field")
        elif not FIX_NAME.match(item.name):
            self._leave_out(item, owner, "it is not a FIX name")
        elif not is_attribute(self._attribute(item)):
            self._leave_out(item, owner, f"every message already has a {self._attribute(item)} attribute")
        elif item.kind == "group":
            return self._group(item, owner)
        # Codegen adds the length field when it writes the data field.
        elif item.name in self.lengths.values():
            pass
        elif self._kind(field) == "NUMINGROUP":
            self._leave_out(item, owner, "it counts a group that has no members")
        else:
            self._use(field)
            return item.name, {item.name}
        return None, set()

    def _attribute(self, item: Element) -> str:
        return list_attribute(item.name) if item.kind == "group" else attribute_name(item.name)

    def _group(self, item: Element, owner: str) -> tuple[str | None, set[str]]:
        label = f"group {item.name}"
        if self._depth >= MAX_NESTING:
            what = f"{label} is nested more than {MAX_NESTING} levels deep"
            Mistakes().fail(item.location, what, "remove unused elements")
        self._depth += 1
        block = self._block(members(item), label)
        self._depth -= 1
        # The first field opens an entry, as in QuickFIX. A nested group cannot open one.
        first = next(iter(block), None)
        if first is None or first in self.groups:
            self._leave_out(item, owner, "it has no field that opens an entry")
            return None, set()
        self._use(self.fields[item.name])
        self._counted.add(item.name)
        fields = {item.name, *self._all_fields(block)}
        # Equal groups become one. Groups that differ in the presence of a member get separate classes.
        shape = (item.name, tuple((name, str(presence)) for name, presence in block.items()))
        if shape not in self._shapes:
            stem = re.sub(r"\ANo(?=[A-Z])", "", item.name)
            # FIX names groups after the enclosing component: NoPartyIDs is in Parties.
            preferred = owner if owner in self.components else f"{stem}Grp"
            name = self._new_name(preferred, f"{stem}Grp")
            self._shapes[shape] = name
            self.groups[name] = {
                "doc": f"{_spaced(stem)}.",
                "counter": item.name,
                "entry": self._new_name(f"{stem}Entry"),
                "delimiter": first,
                "members": block,
            }
        return self._shapes[shape], fields

    def _all_fields(self, block: Mapping[str, Any]) -> set[str]:
        """Return all fields of a block, including the counters and the fields of its groups."""
        fields: set[str] = set()
        for name in block:
            group = self.groups.get(name)
            if group is None:
                fields.add(name)
            else:
                fields |= {group["counter"], *self._all_fields(group["members"])}
        return fields

    def _new_name(self, *candidates: str) -> str:
        """Return the first unused candidate, or the last one with a number appended."""
        numbered = (f"{candidates[-1]}{number}" for number in range(2, 10_000))
        for name in (*candidates, *numbered):
            if name not in self._used_names and is_class_name(name):
                self._used_names.add(name)
                return name
        raise AssertionError(candidates)

    def _drop_unused(
        self, blocks: Iterable[Mapping[str, Any]], families: Iterable[Mapping[str, Any]]
    ) -> None:
        """Drop the groups that were used only in omitted content, and their counters."""
        # The search starts with the header, the trailer and the messages, and follows nested groups.
        bodies = [*blocks, *(message["members"] for family in families for message in family.values())]
        used_groups: set[str] = set()
        while bodies:
            new_groups = set(bodies.pop()) & set(self.groups) - used_groups
            used_groups |= new_groups
            bodies += [self.groups[name]["members"] for name in new_groups]
        self.groups = {name: group for name, group in self.groups.items() if name in used_groups}
        used = {name for name in self.used if name not in self._counted}
        used |= {group["counter"] for group in self.groups.values()}
        self.used = {name: field for name, field in self.used.items() if name in used}

    # Fields and codes

    def _find_lengths(self) -> None:
        """Find the length field of each data field by its name. If no name matches, the length field is the
        field before the data field in a block.
        """
        length_fields = {name for name, field in self.fields.items() if self._kind(field) == "LENGTH"}
        data = [name for name, field in self.fields.items() if self._kind(field) == "DATA"]
        preceding = dict(self._pairs())
        for name in data:
            # Examples of names: RawDataLength, EncodedTextLen.
            candidates = (f"{name}Length", f"{name}Len", preceding.get(name, ""))
            length = next((each for each in candidates if each in length_fields), None)
            if length is not None and length not in self.lengths.values():
                self.lengths[name] = length

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """Yield each field that follows another in a block, with the name of the preceding field."""
        blocks = [
            items for each in self.dictionaries for items in (each.block("header"), each.block("trailer"))
        ]
        blocks += [members(message) for each in self.dictionaries for message in each.messages]
        blocks += [members(component) for component in self.components.values()]
        while blocks:
            items = blocks.pop()
            blocks += [members(item) for item in items if item.kind == "group"]
            yield from ((field.name, preceding.name) for preceding, field in itertools.pairwise(items))

    def _kind(self, field: Element) -> str:
        return self.types[self._type(field)]

    def _type(self, field: Element) -> str:
        return _written_type(field) if _written_type(field) in self.types else "STRING"

    def _datatypes(self) -> dict[str, Any]:
        content = yaml.safe_load(_STANDARD_TYPES.read_text(encoding="utf-8"))
        types: dict[str, Any] = content["datatypes"]
        used_types = {_written_type(field) for field in self.fields.values()}
        others = {
            name: dict(types[standard]) for name, standard in _OTHER_TYPES.items() if name in used_types
        }
        return {**types, **others}

    def _use(self, field: Element) -> None:
        self.used[field.name] = field
        if field.name in self.lengths:
            length = self.fields[self.lengths[field.name]]
            self.used[length.name] = length

    def _fields(self, codesets: Mapping[str, Any]) -> dict[str, Any]:
        by_field = {each["field"]: name for name, each in codesets.items()}
        fields = {}
        for field in sorted(self.used.values(), key=_tag):
            properties: dict[str, Any] = {"tag": _tag(field), "type": self._type(field)}
            if field.name in self._counted:
                properties["type"] = "NUMINGROUP"
            # The length field determines where data ends; without one, data ends at the next SOH, like text.
            if self._kind(field) == "DATA" and field.name not in self.lengths:
                properties["type"] = "STRING"
                what = f"{field.name} is data without a length"
                self.notes.append(Mistake(field.location, what, "it is read as text"))
            if _written_type(field) not in self.types:
                what = f"{field.name} is of type {_written_type(field)}"
                self.notes.append(Mistake(field.location, what, "it is read as text"))
            if field.name in by_field:
                properties["codes"] = by_field[field.name]
            if field.name in self.lengths:
                properties["length"] = self.lengths[field.name]
            if _SECRET_NAME.search(field.name):
                properties["secret"] = True
            fields[field.name] = properties
        # In a spec, a field refers to its codeset, and the codeset does not name the field.
        for each in codesets.values():
            del each["field"]
        return fields

    def _codesets(self) -> dict[str, Any]:
        codesets: dict[str, Any] = {}
        for field in self.used.values():
            if not values(field) or self._kind(field) not in CODED_KINDS or self._type(field) in _LIST_TYPES:
                continue
            codes = self._codes(field)
            if codes:
                # An enum may have the name of its field, but not that of a class.
                name = field.name if self._is_free(field.name) else self._new_name(f"{field.name}Code")
                doc = f"Values of {field.name}."
                codesets[name] = {"field": field.name, "doc": doc, "codes": codes}
        return codesets

    def _is_free(self, name: str) -> bool:
        classes = {message.name for message in self._messages()}
        classes |= {group["entry"] for group in self.groups.values()} | set(self.groups)
        return name not in classes and is_class_name(name)

    def _codes(self, field: Element) -> dict[str, Any]:
        codes: dict[str, Any] = {}
        constants: set[str] = set()
        enums: set[str] = set()
        are_integers = self._kind(field) == "INT"
        for value in values(field):
            enum = value.get("enum")
            name = code_name(value.get("description") or enum)
            if enum in enums or (are_integers and not re.fullmatch(r"-?[0-9]+", enum)):
                why = "left out: it is a duplicate, or not a whole number"
                self.notes.append(Mistake(value.location, f"`{enum}` of {field.name}", why))
                continue
            # Two descriptions may differ only in case.
            while snake_case(name) in constants or name in codes:
                name = f"{name}X{len(codes)}"
            constants.add(snake_case(name))
            enums.add(enum)
            codes[name] = {"value": enum, "doc": f"{_spaced(name)}."}
        return codes

    def _leave_out(self, item: Element, where: str, why: str) -> None:
        note = Mistake(item.location, f"{item.name} in {where}", f"left out: {why}")
        if note not in self._noted:
            self._noted.add(note)
            self.notes.append(note)


def write(spec: Import, out: Path) -> list[Path]:
    """Write a spec folder into a new or empty folder; return the files.

    Raises:
        FileExistsError: the folder is not empty.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty; choose another folder")
    return sorted(write_files(spec.files, out))


def _appl_ver_id(dictionary: DataDictionary) -> str | None:
    """Return the ApplVerID of a dictionary's application messages; None for a separate session layer."""
    pack = dictionary.root.get("servicepack")
    return APPL_VER_IDS.get(dictionary.version + ("" if pack in {"", "0"} else f"SP{pack}"))


def _is_admin(message: Element) -> bool:
    return message.get("msgcat") == "admin"


def _tag(field: Element) -> int:
    return int(field.get("number"))


def _written_type(field: Element) -> str:
    return field.get("type").upper() or "STRING"


def _text(content: object) -> str:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)


def _spaced(name: str) -> str:
    """Return a FIX name as words: `New order single` for `NewOrderSingle`."""
    return snake_case(name).replace("_", " ").capitalize()
