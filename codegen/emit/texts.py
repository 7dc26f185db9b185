"""Views of the known values of Text (58)."""

from __future__ import annotations

import attrs

from codegen import prose
from codegen.emit import kinds
from codegen.emit.classes import CodeView
from codegen.emit.docstrings import docstring
from codegen.emit.imports import Imports
from codegen.emit.layouts import text_literal
from codegen.model import Dialect, KnownText
from codegen.naming import texts_class


@attrs.frozen
class TextsView:
    """Enum of the known texts of a message, and their meanings."""

    name: str
    doc: str
    codes: tuple[CodeView, ...]
    meanings: tuple[tuple[str, str, str], ...]
    """MsgType, text and meaning, as expressions."""


def text_views(dialect: Dialect, imports: Imports, package: str) -> tuple[TextsView, ...]:
    """Return a view for every message with known texts."""
    by_message: dict[str, list[KnownText]] = {}
    for each in dialect.texts:
        by_message.setdefault(each.message.name, []).append(each)
    return tuple(_texts_view(texts, imports, package) for texts in by_message.values())


def _texts_view(texts: list[KnownText], imports: Imports, package: str) -> TextsView:
    message = texts[0].message
    codes, meanings = [], []
    for each in texts:
        code_note, arguments = "", [f"meaning={text_literal(prose.sentence(each.doc))}"]
        if each.field is not None and each.code is not None:
            code_note = f"Sent with {each.field.name} {each.code.constant}."
            # The code's enum has to be imported: `OrdRejReason.OTHER`.
            code = kinds.literal(each.field, each.code.value)
            imports.import_one_per_line(f"{package}.codesets", code.partition(".")[0])
            arguments += [f"attribute={each.field.attribute!r}", f"code={code}"]
        facts = f"{prose.sentence(each.doc)} {code_note} {prose.pedigree_text(each.pedigree)}"
        codes.append(CodeView(each.constant, repr(each.value), facts))
        meanings.append((repr(message.msg_type), repr(each.value), f"TextMeaning({', '.join(arguments)})"))
    doc = f"Known values of Text (58) in {message.name} ({message.msg_type}). The venue may send others."
    described = docstring([doc], 4, [(code.constant, code.doc) for code in codes])
    return TextsView(texts_class(message.name), described, tuple(codes), tuple(meanings))
