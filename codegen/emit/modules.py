"""The files of the generated package: the template of each, and its context."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from codegen.emit import classes, encoders, history, layouts, limits, texts
from codegen.emit.imports import Imports, export_key
from codegen.emit.layouts import LAYOUT
from codegen.model import CodeSet, Dialect, Element, Message
from codegen.naming import texts_class, upper_snake

_MAPPINGS = (("collections.abc", "Mapping"), ("types", "MappingProxyType"))
"""Imports of every module with read-only mappings."""


@attrs.frozen
class ModuleView:
    """One file of the generated package."""

    path: str
    """Path inside the package's folder."""
    template: str
    doc: str
    imports: Imports
    sources: frozenset[str]
    """Files of the spec that it is generated from."""
    context: dict[str, Any] = attrs.field(factory=dict)


def modules(dialect: Dialect, package: str) -> Iterator[ModuleView]:
    """Yield every file of the package."""
    builder = _Modules(dialect, package)
    # `python -m codegen` lists changed files in this order.
    yield from builder.common_modules()
    for family in families(dialect):
        messages = [message for message in dialect.messages if message.family == family]
        yield builder.messages(family, messages)
        yield builder.message_layouts(family, messages)


def families(dialect: Dialect) -> tuple[str, ...]:
    """Return the names of the dialect's message files in order."""
    return tuple(dict.fromkeys(message.family for message in dialect.messages))


# Each method below creates one file; the methods for blocks and groups create two. The imports are known
# only after the views are built, so each method creates an `Imports()` and passes it to the writers of
# expressions.


@attrs.frozen
class _Modules:
    """The modules of a dialect."""

    dialect: Dialect
    package: str

    def common_modules(self) -> Iterator[ModuleView]:
        """Yield the modules that do not depend on a message family."""
        yield self._init()
        yield self._codesets()
        yield self._sessions()
        yield self._texts()
        if self.dialect.limits:
            yield self._limits()
        yield self._dialect()
        if history.certain_from(self.dialect) is not None:
            yield self._history()
        yield self._fields()
        yield from self._blocks()
        yield from self._groups()
        for folder, doc in (
            ("messages", "The message classes, a module for each family."),
            ("layouts", "The tables that the codec, the validation and the session read."),
        ):
            yield ModuleView(f"{folder}/__init__.py", "package.py.j2", doc, Imports(), frozenset())

    # A family of messages

    def messages(self, family: str, messages: list[Message]) -> ModuleView:
        """Return the classes of a family and their encoders."""
        # Imports of every module of messages; building the views adds the others.
        imports = Imports(
            ("typing", "ClassVar"),
            (f"{self.package}.blocks", "FixMessage", "Header", "Trailer"),
            (f"{self.package}.layouts", family),
            ("kalshi_fix_sansio.dialect.problems", "Problem"),
        )
        writer = self._class_writer(imports)
        views = []
        for message in messages:
            title = f"the body of {message.name} ({message.msg_type})"
            encoder = encoders.encoder_view(writer, message.name, "message", title, message.members)
            views.append((writer.message_view(message), encoder))
        logon = self.dialect.logon
        logon_fields = None
        # The class of Logon fields is in the module of the Logon.
        if logon is not None and logon in messages:
            imports.import_on_one_line("kalshi_fix_sansio.dialect.base", "Block")
            logon_fields = writer.logon_fields_view(logon)
        doc = f"Messages of the family {family.replace('_', ' ')}, and their encoders."
        context = {**_classes_context(views), "logon_fields": logon_fields}
        path, sources = f"messages/{family}.py", _family_files(messages)
        return ModuleView(path, "messages.py.j2", doc, imports, sources, context)

    def message_layouts(self, family: str, messages: list[Message]) -> ModuleView:
        """Return the layouts of a family."""
        imports = Imports()
        writer = layouts.LayoutWriter(imports, self.package)
        views = [writer.message(message) for message in messages]
        logon = self.dialect.logon
        logon_fields = writer.logon_fields(logon) if logon is not None and logon in messages else None
        doc = f"Layouts of the family {family.replace('_', ' ')}."
        context = {"messages": views, "logon_fields": logon_fields}
        path, sources = f"layouts/{family}.py", _family_files(messages)
        return ModuleView(path, "message_layouts.py.j2", doc, imports, sources, context)

    # Modules that do not depend on a message family

    def _init(self) -> ModuleView:
        imports = Imports(
            (f"{self.package}.blocks", "FixMessage", "Header", "Trailer"),
            (f"{self.package}.dialect", "DIALECT"),
            (
                f"{self.package}.sessions",
                "ENDPOINTS",
                "ENVIRONMENTS",
                "PRODUCTS",
                "REFUSALS",
                "SESSION_TYPES",
            ),
        )
        imports.import_one_per_line(
            f"{self.package}.texts", "TEXTS", *(texts_class(each.message.name) for each in self.dialect.texts)
        )
        imports.import_one_per_line(
            f"{self.package}.codesets", *(codeset.name for codeset in self.dialect.codesets)
        )
        imports.import_one_per_line(
            f"{self.package}.groups", *(group.entry_class for group in self.dialect.groups)
        )
        for message in self.dialect.messages:
            imports.import_one_per_line(f"{self.package}.messages.{message.family}", message.name)
        if self.dialect.logon is not None:
            imports.import_one_per_line(
                f"{self.package}.messages.{self.dialect.logon.family}", classes.LOGON_FIELDS
            )
        # All imports are exported: the template repeats them.
        exported = [line for section in imports.sections() for line in section]
        names = [name for line in exported for name in line.names]
        doc = f"The {self.dialect.title} dialect: its classes, its code values and its tables."
        context = {
            "exported": exported,
            "names": [repr(name) for name in sorted(names, key=export_key)],
        }
        return ModuleView("__init__.py", "init.py.j2", doc, imports, frozenset(), context)

    def _codesets(self) -> ModuleView:
        imports = Imports()
        views = classes.codeset_views(self.dialect)
        for view in views:
            imports.import_on_one_line("enum", view.base)
            imports.import_one_per_line("kalshi_fix_sansio.scalars", view.plain_converter)
            imports.import_on_one_line("kalshi_fix_sansio.dialect.support", "members_by_value", "to_code")
            imports.import_on_one_line("typing", "Final")
        doc = f"The code values of the {self.dialect.title} dialect. Other values remain `str` or `int`."
        sources = _files(self.dialect.codesets)
        return ModuleView("codesets.py", "codesets.py.j2", doc, imports, sources, {"codesets": views})

    def _texts(self) -> ModuleView:
        imports = Imports(*_MAPPINGS, (LAYOUT, "TextMeaning"))
        if self.dialect.texts:
            imports.import_on_one_line("enum", "StrEnum")
        views = texts.text_views(self.dialect, imports, self.package)
        doc = f"Known values of Text (58) in messages of the {self.dialect.title} dialect."
        sources = _files(self.dialect.texts)
        return ModuleView("texts.py", "texts.py.j2", doc, imports, sources, {"texts": views})

    def _limits(self) -> ModuleView:
        imports = Imports(("typing", "Final"))
        views = [limits.limit_view(each, imports) for each in self.dialect.limits]
        doc = f"Limits of the {self.dialect.title} dialect that do not apply to single field values."
        sources = _files(self.dialect.limits)
        return ModuleView("limits.py", "limits.py.j2", doc, imports, sources, {"limits": views})

    def _sessions(self) -> ModuleView:
        imports = Imports(*_MAPPINGS, (LAYOUT, "Refusal", "SessionType"))
        dialect = self.dialect
        if dialect.products or dialect.environments:
            imports.import_on_one_line("typing", "Literal")
        context = {
            "products": [(repr(product.name), repr(product.env_prefix)) for product in dialect.products],
            "environments": [repr(environment) for environment in dialect.environments],
            "endpoints": [
                (repr((each.environment, each.product, each.role)), repr(each.host))
                for each in dialect.endpoints
            ],
            "session_types": [
                (repr(each.name), layouts.session_type_expression(each)) for each in dialect.session_types
            ],
            "refusals": [layouts.refusal_expression(each) for each in dialect.refusals],
        }
        doc = f"The products, hosts, session types and refused logons of the {dialect.title} dialect."
        sources = _files([*dialect.session_types, *dialect.refusals])
        return ModuleView("sessions.py", "sessions.py.j2", doc, imports, sources, context)

    def _dialect(self) -> ModuleView:
        imports = Imports(
            ("types", "MappingProxyType"),
            (LAYOUT, "Dialect"),
            (f"{self.package}.layouts.fields", "FIELDS"),
            (f"{self.package}.sessions", "SESSION_TYPES"),
        )
        imports.import_one_per_line(f"{self.package}.layouts", "blocks", *families(self.dialect))
        dialect, logon = self.dialect, self.dialect.logon
        since = history.certain_from(dialect)
        context = {
            "since": history.date_expression(since, imports) if since is not None else None,
            "history": repr(f"{self.package}.history.HISTORY"),
            "name": repr(dialect.name),
            "title": dialect.title,
            "begin_string": repr(dialect.begin_string),
            "appl_ver_id": repr(dialect.appl_ver_id),
            "validated": repr(dialect.validated) if dialect.validated else "",
            "standard_data": dialect.standard_data,
            "messages": [
                (repr(message.msg_type), f"{message.family}.{upper_snake(message.name)}")
                for message in dialect.messages
            ],
            "logon_fields": f"{logon.family}.{upper_snake(classes.LOGON_FIELDS)}" if logon else None,
        }
        doc = f"The {dialect.title} dialect as one value."
        return ModuleView("dialect.py", "dialect.py.j2", doc, imports, frozenset(), context)

    def _history(self) -> ModuleView:
        imports = Imports()
        imports.import_one_per_line(history.HISTORY, "Change", "History")
        changes = history.changes(self.dialect, imports, self.package)
        since = history.date_expression(history.first_day(self.dialect), imports)
        context = {"since": since, "changes": changes}
        doc = f"The changes that led to the {self.dialect.title} dialect, with the earlier forms if known."
        return ModuleView("history.py", "history.py.j2", doc, imports, frozenset(), context)

    def _fields(self) -> ModuleView:
        imports = Imports(*_MAPPINGS)
        imports.import_one_per_line(LAYOUT, "FieldLayout")
        writer = layouts.LayoutWriter(imports, self.package)
        views = [writer.field(field) for field in self.dialect.fields]
        sources = _files(self.dialect.fields)
        doc = f"Every field of the {self.dialect.title} dialect."
        return ModuleView("layouts/fields.py", "fields.py.j2", doc, imports, sources, {"fields": views})

    def _blocks(self) -> Iterator[ModuleView]:
        blocks = (("Header", self.dialect.header), ("Trailer", self.dialect.trailer))
        sources = _files(member for _, members in blocks for member in members)
        class_imports, layout_imports = Imports(), Imports()
        class_imports.import_on_one_line("kalshi_fix_sansio.dialect.base", "Block", "Message")
        class_imports.import_on_one_line(f"{self.package}.layouts", "blocks")
        class_writer = self._class_writer(class_imports)
        layout_writer = layouts.LayoutWriter(layout_imports, self.package)
        class_views, layout_views = [], []
        for name, members in blocks:
            parameter = name.lower()
            doc = f"The standard {parameter} of every message of the {self.dialect.title} dialect."
            title = f"a {parameter}, without the fields that the codec writes,"
            encoder = encoders.encoder_view(
                class_writer, name, parameter, title, members, is_header=name == "Header"
            )
            class_views.append((class_writer.view(name, "blocks", members, doc), encoder))
            layout_views.append(layout_writer.block(name, members, (), "blocks"))
        doc = "The header and trailer with their encoders, and the base class of the messages."
        yield ModuleView(
            "blocks.py", "blocks.py.j2", doc, class_imports, sources, _classes_context(class_views)
        )
        doc, context = "Layouts of the header and the trailer.", {"blocks": layout_views}
        yield ModuleView("layouts/blocks.py", "block_layouts.py.j2", doc, layout_imports, sources, context)

    def _groups(self) -> Iterator[ModuleView]:
        groups = self.dialect.groups
        sources = _files(groups)
        class_imports, layout_imports = Imports(), Imports()
        # A dialect without groups has the same two modules, both empty.
        if groups:
            class_imports.import_on_one_line("kalshi_fix_sansio.dialect.base", "Block")
            class_imports.import_on_one_line(f"{self.package}.layouts", "groups")
            class_imports.import_on_one_line("kalshi_fix_sansio.dialect.support", "to_entries")
        class_writer = self._class_writer(class_imports, in_groups=True)
        layout_writer = layouts.LayoutWriter(layout_imports, self.package, in_groups_module=True)
        class_views, layout_views = [], []
        for group in groups:
            name, title = group.entry_class, f"an entry of {group.name}"
            encoder = encoders.encoder_view(class_writer, name, "entry", title, group.members)
            class_views.append((class_writer.group_view(group), encoder))
            layout_views.append(layout_writer.block(name, group.members, group.one_of, "groups"))
        doc = "The entries of repeating groups, and their encoders."
        yield ModuleView(
            "groups.py", "groups.py.j2", doc, class_imports, sources, _classes_context(class_views)
        )
        doc, context = "Layouts of the entries of repeating groups.", {"blocks": layout_views}
        yield ModuleView("layouts/groups.py", "block_layouts.py.j2", doc, layout_imports, sources, context)

    def _class_writer(self, imports: Imports, *, in_groups: bool = False) -> classes.ClassWriter:
        return classes.ClassWriter(imports, self.package, self.dialect.product_names, in_groups)


def _classes_context(views: list[tuple[classes.ClassView, encoders.EncoderView]]) -> dict[str, Any]:
    """Return the template context for a module of classes."""
    # Unique and sorted: encoders of one module share many tables.
    tables = {table for _, encoder in views for table in encoder.tables}
    return {"classes": views, "tables": sorted(tables)}


def _family_files(messages: list[Message]) -> frozenset[str]:
    """Return the files of the spec that contain messages of a family or their members."""
    return _files(messages) | _files(member for message in messages for member in message.members)


def _files(elements: Iterable[Element | CodeSet]) -> frozenset[str]:
    """Return the files of the spec that contain the elements."""
    return frozenset(element.location.file for element in elements)
