"""The files of the generated package: which template each takes, and what it loops over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from codegen.emit import classes, encoders, layouts, limits, texts
from codegen.emit.imports import Imports, export_key
from codegen.model import Dialect, Message
from codegen.naming import texts_class, upper_snake
from kalshi_fix_adapters.documents.mistakes import Location

LAYOUT = "kalshi_fix_sansio.layout"


@attrs.frozen
class ModuleView:
    """One file of the generated package."""

    path: str
    """Inside the package's folder."""
    template: str
    doc: str
    imports: Imports
    sources: frozenset[str]
    """The files of the spec that it comes from."""
    context: dict[str, Any] = attrs.field(factory=dict)


def modules(dialect: Dialect, package: str) -> Iterator[ModuleView]:
    """Return every file of the package."""
    yield from _Fixed(dialect, package).modules()
    for family in families(dialect):
        messages = [message for message in dialect.messages if message.family == family]
        yield from _Family(dialect, package, family, messages).modules()


def families(dialect: Dialect) -> tuple[str, ...]:
    """Return the names of the dialect's message files, in its order."""
    return tuple(dict.fromkeys(message.family for message in dialect.messages))


@attrs.define
class _Family:
    """The two modules of one family of messages."""

    dialect: Dialect
    package: str
    family: str
    messages: list[Message]

    def modules(self) -> Iterator[ModuleView]:
        yield self._classes()
        yield self._layouts()

    def _classes(self) -> ModuleView:
        imports = Imports()
        imports.fixed("typing", "ClassVar")
        imports.fixed(f"{self.package}.blocks", "FixMessage", "Header", "Trailer")
        imports.fixed(f"{self.package}.layouts", self.family)
        imports.fixed("kalshi_fix_sansio.problems", "Problem")
        tags = tags_by_name(self.dialect)
        views = []
        for message in self.messages:
            classes.use_members(message.members, imports, self.package)
            cls = classes.message_view(message, product_names(self.dialect), imports)
            title = f"the body of a {message.name} ({message.msg_type})"
            encoder = encoders.encoder_view(
                message.name, "message", title, message.members, imports, self.package, tags
            )
            views.append((cls, encoder))
        logon = self._logon()
        view = classes.logon_fields_view(logon, product_names(self.dialect), imports) if logon else None
        if logon:
            imports.fixed("kalshi_fix_sansio.base", "Block")
        doc = f"Messages of the family {self.family.replace('_', ' ')}, and their encoders."
        tables = encoders.tables_of(encoder for _, encoder in views)
        return self._view(
            "messages", "messages.py.j2", doc, imports, classes=views, tables=tables, logon_fields=view
        )

    def _layouts(self) -> ModuleView:
        imports = Imports()
        writer = layouts.LayoutWriter(imports, self.package)
        views = [writer.message(message) for message in self.messages]
        logon = self._logon()
        view = writer.logon_fields(logon) if logon else None
        doc = f"Layouts of the family {self.family.replace('_', ' ')}."
        return self._view("layouts", "message_layouts.py.j2", doc, imports, messages=views, logon_fields=view)

    def _logon(self) -> Message | None:
        return next((message for message in self.messages if message.msg_type == classes.LOGON), None)

    def _view(self, folder: str, template: str, doc: str, imports: Imports, **context: Any) -> ModuleView:
        sources = _files(
            *(message.location for message in self.messages),
            *(member.location for message in self.messages for member in message.members),
        )
        return ModuleView(f"{folder}/{self.family}.py", template, doc, imports, sources, context)


@attrs.define
class _Fixed:
    """The modules that every dialect has."""

    dialect: Dialect
    package: str

    def modules(self) -> Iterator[ModuleView]:
        yield self._init()
        yield self._codesets()
        yield self._sessions()
        yield self._texts()
        if self.dialect.limits:
            yield self._limits()
        yield self._dialect()
        yield self._fields()
        yield from self._blocks()
        yield from self._groups()
        for folder, doc in (
            ("messages", "The message classes, a module for each family."),
            ("layouts", "The tables that the codec, the validation and the session read."),
        ):
            yield ModuleView(f"{folder}/__init__.py", "package.py.j2", doc, Imports(), frozenset())

    def _init(self) -> ModuleView:
        imports = Imports()
        imports.fixed(f"{self.package}.blocks", "FixMessage", "Header", "Trailer")
        imports.fixed(f"{self.package}.dialect", "DIALECT")
        imports.fixed(
            f"{self.package}.sessions", "ENDPOINTS", "ENVIRONMENTS", "PRODUCTS", "REFUSALS", "SESSION_TYPES"
        )
        imports.name(f"{self.package}.texts", "TEXTS", *self._text_classes())
        imports.name(f"{self.package}.codesets", *(codeset.name for codeset in self.dialect.codesets))
        imports.name(f"{self.package}.groups", *(group.entry_class for group in self.dialect.groups))
        for message in self.dialect.messages:
            imports.name(f"{self.package}.messages.{message.family}", message.name)
            if message.msg_type == classes.LOGON:
                imports.name(f"{self.package}.messages.{message.family}", classes.LOGON_FIELDS)
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
            imports.fixed("enum", view.base)
            imports.name("kalshi_fix_sansio.scalars", view.plain_converter)
            imports.fixed("kalshi_fix_sansio.explained", "explained")
            imports.fixed("kalshi_fix_sansio.support", "known", view.to_code)
            imports.fixed("typing", "Final")
        doc = f"The code values of the {self.dialect.title} dialect. Others stay plain values."
        sources = _files(*(codeset.location for codeset in self.dialect.codesets))
        return ModuleView("codesets.py", "codesets.py.j2", doc, imports, sources, {"codesets": views})

    def _text_classes(self) -> list[str]:
        return [texts_class(name) for name in dict.fromkeys(each.message.name for each in self.dialect.texts)]

    def _texts(self) -> ModuleView:
        imports = Imports()
        imports.fixed("collections.abc", "Mapping")
        imports.fixed("types", "MappingProxyType")
        imports.fixed(LAYOUT, "TextMeaning")
        if self.dialect.texts:
            imports.fixed("enum", "StrEnum")
            imports.fixed("kalshi_fix_sansio.explained", "explained")
        views = texts.text_views(self.dialect, imports, self.package)
        doc = f"What Text (58) says in messages of the {self.dialect.title} dialect."
        sources = _files(*(each.location for each in self.dialect.texts))
        return ModuleView("texts.py", "texts.py.j2", doc, imports, sources, {"texts": views})

    def _limits(self) -> ModuleView:
        imports = Imports()
        imports.fixed("typing", "Final")
        views = [limits.limit_view(each, imports) for each in self.dialect.limits]
        doc = f"What the {self.dialect.title} dialect limits beside the values of fields."
        sources = _files(*(each.location for each in self.dialect.limits))
        return ModuleView("limits.py", "limits.py.j2", doc, imports, sources, {"limits": views})

    def _sessions(self) -> ModuleView:
        imports = Imports()
        imports.fixed("collections.abc", "Mapping")
        imports.fixed("types", "MappingProxyType")
        imports.fixed(LAYOUT, "Refusal", "SessionType")
        dialect = self.dialect
        if dialect.products or dialect.environments:
            imports.fixed("typing", "Literal")
        context = {
            "products": [(repr(product.name), repr(product.env_prefix)) for product in dialect.products],
            "environments": [repr(environment) for environment in dialect.environments],
            "endpoints": [(layouts.endpoint_key(each), repr(each.host)) for each in dialect.endpoints],
            "session_types": [
                (repr(each.name), layouts.session_type_expression(each)) for each in dialect.session_types
            ],
            "refusals": [layouts.refusal_expression(each) for each in dialect.refusals],
        }
        doc = f"The products, hosts, session types and refused logons of the {dialect.title} dialect."
        sources = _files(
            *(session_type.location for session_type in dialect.session_types),
            *(refusal.location for refusal in dialect.refusals),
        )
        return ModuleView("sessions.py", "sessions.py.j2", doc, imports, sources, context)

    def _dialect(self) -> ModuleView:
        imports = Imports()
        imports.fixed("types", "MappingProxyType")
        imports.fixed(LAYOUT, "Dialect")
        imports.name(f"{self.package}.layouts", "blocks", *families(self.dialect))
        imports.fixed(f"{self.package}.layouts.fields", "FIELDS")
        imports.fixed(f"{self.package}.sessions", "SESSION_TYPES")
        dialect = self.dialect
        context = {
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
            "logon_fields": next(
                (
                    f"{message.family}.{upper_snake(classes.LOGON_FIELDS)}"
                    for message in dialect.messages
                    if message.msg_type == classes.LOGON
                ),
                None,
            ),
        }
        doc = f"The {dialect.title} dialect as one value."
        return ModuleView("dialect.py", "dialect.py.j2", doc, imports, frozenset(), context)

    def _fields(self) -> ModuleView:
        imports = Imports()
        imports.fixed("collections.abc", "Mapping")
        imports.fixed("types", "MappingProxyType")
        imports.name(LAYOUT, "FieldLayout")
        writer = self._writer(imports)
        views = [writer.field(field) for field in self.dialect.fields]
        sources = _files(*(field.location for field in self.dialect.fields))
        doc = f"Every field of the {self.dialect.title} dialect."
        return ModuleView("layouts/fields.py", "fields.py.j2", doc, imports, sources, {"fields": views})

    def _blocks(self) -> Iterator[ModuleView]:
        title = self.dialect.title
        blocks = (("Header", "header", self.dialect.header), ("Trailer", "trailer", self.dialect.trailer))
        sources = _files(*(member.location for _, _, members in blocks for member in members))
        of_classes, of_layouts = Imports(), Imports()
        tags = tags_by_name(self.dialect)
        of_classes.fixed("kalshi_fix_sansio.base", "Block", "Message")
        of_classes.fixed(f"{self.package}.layouts", "blocks")
        writer = self._writer(of_layouts)
        class_views, layout_views = [], []
        for name, parameter, members in blocks:
            classes.use_members(members, of_classes, self.package)
            doc = f"The standard {parameter} of every message of the {title} dialect."
            cls = classes.block_view(name, doc, members, product_names(self.dialect), of_classes)
            what = f"a {parameter}, without what the codec writes itself,"
            encoder = encoders.encoder_view(
                name,
                parameter,
                what,
                members,
                of_classes,
                self.package,
                tags,
                is_header=parameter == "header",
            )
            class_views.append((cls, encoder))
            layout_views.append(writer.block(name, name, members, (), "blocks"))
        doc = "Header and trailer with their encoders, and the base of the messages that carry them."
        tables = encoders.tables_of(encoder for _, encoder in class_views)
        context = {"classes": class_views, "tables": tables}
        yield ModuleView("blocks.py", "blocks.py.j2", doc, of_classes, sources, context)
        doc = "Layouts of header and trailer."
        yield ModuleView(
            "layouts/blocks.py", "block_layouts.py.j2", doc, of_layouts, sources, {"blocks": layout_views}
        )

    def _groups(self) -> Iterator[ModuleView]:
        groups = self.dialect.groups
        sources = _files(*(group.location for group in groups))
        of_classes, of_layouts = Imports(), Imports()
        tags = tags_by_name(self.dialect)
        if groups:
            of_classes.fixed("kalshi_fix_sansio.base", "Block")
            of_classes.fixed(f"{self.package}.layouts", "groups")
            of_classes.fixed("kalshi_fix_sansio.support", "to_entries")
        writer = self._writer(of_layouts, in_groups_module=True)
        class_views, layout_views = [], []
        for group in groups:
            name, members = group.entry_class, group.members
            classes.use_members(members, of_classes, self.package, in_groups=True)
            cls = classes.group_view(group, product_names(self.dialect), of_classes)
            title = f"an entry of {group.name}"
            encoder = encoders.encoder_view(
                name, "entry", title, members, of_classes, self.package, tags, in_groups=True
            )
            class_views.append((cls, encoder))
            layout_views.append(writer.group(group))
        doc = "The entries of repeating groups, and their encoders."
        tables = encoders.tables_of(encoder for _, encoder in class_views)
        context = {"classes": class_views, "tables": tables}
        yield ModuleView("groups.py", "groups.py.j2", doc, of_classes, sources, context)
        doc = "Layouts of the entries of repeating groups."
        yield ModuleView(
            "layouts/groups.py", "block_layouts.py.j2", doc, of_layouts, sources, {"blocks": layout_views}
        )

    def _writer(self, imports: Imports, *, in_groups_module: bool = False) -> layouts.LayoutWriter:
        return layouts.LayoutWriter(imports, self.package, tags_by_name(self.dialect), in_groups_module)


def tags_by_name(dialect: Dialect) -> dict[str, int]:
    """Return the tag of every field by its FIX name."""
    return {field.name: field.tag for field in dialect.fields}


def product_names(dialect: Dialect) -> tuple[str, ...]:
    """Return the names of the dialect's products."""
    return tuple(product.name for product in dialect.products)


def _files(*locations: Location) -> frozenset[str]:
    return frozenset(location.file for location in locations)
