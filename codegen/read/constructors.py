"""Resolve the `constructors` of messages: class methods that create a message for one purpose."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping

from codegen import model
from codegen.naming import RESERVED_ATTRIBUTES
from codegen.read.context import Context, text, words
from kalshi_fix_adapters.documents.mistakes import Location
from kalshi_fix_adapters.documents.nodes import Map


def constructors(context: Context, message: model.Message) -> Iterator[model.Constructor]:
    """Yield the constructors of a message; invalid ones are recorded as mistakes."""
    entries = context.spec.sections["messages"][message.name].node.mapping("constructors")
    for name in entries:
        reader = _Reader(context, message, name, entries.mapping(name), entries.at(name))
        if reader.has_valid_name():
            yield reader.read()


class _Reader:
    """Reads one constructor."""

    def __init__(
        self, context: Context, message: model.Message, name: str, node: Map, location: Location
    ) -> None:
        self._context, self._message, self._name, self._node = context, message, name, node
        self._location = location
        self._label = f"constructor `{name}` of message `{message.name}`"
        self._members = {member.name: member for member in message.members}
        self._positional = self._members.get(text(node, "takes"))
        """Member that is passed by position."""

    def has_valid_name(self) -> bool:
        """Return whether the constructor's name is a valid method name; if not, record a mistake."""
        # A class method with the name of a field would hide the field.
        taken = {member.attribute for member in self._message.members} | RESERVED_ATTRIBUTES
        is_word = self._name.islower() and self._name.isidentifier() and not keyword.iskeyword(self._name)
        if is_word and self._name not in taken:
            return True
        advice = "use lower case, and a name that no field has"
        self._context.mistakes.add(self._location, f"{self._label} does not have a valid method name", advice)
        return False

    def read(self) -> model.Constructor:
        """Return the constructor."""
        entry_members = self._entry_members()
        # `requires` and `without` may also name fields of the entry, which become arguments too.
        known = {**self._members, **{member.name: member for member in entry_members}}
        attributes = {
            key: tuple(
                known[each].attribute
                for each, where in words(self._node.get(key))
                if self._check_member_name(each, where, known)
            )
            for key in ("requires", "without")
        }
        return model.Constructor(
            name=self._name,
            doc=text(self._node, "doc"),
            sets=tuple(self._sets()),
            takes=self._positional,
            requires=attributes["requires"],
            without=attributes["without"],
        )

    def _entry_members(self) -> tuple[model.Member, ...]:
        """Return the fields of an entry of the group in `takes`; empty if there is no such group."""
        taken, where = text(self._node, "takes"), self._node.at("takes")
        if not taken or not self._check_member_name(taken, where, self._members):
            return ()
        group = None if self._positional is None else self._positional.group
        if group is None:
            return ()
        # Several values create one entry each, with one field; a single entry may have several fields.
        if group.maximum != 1 and len(group.members) != 1:
            what = f"{self._label} takes `{taken}`, whose entries have several fields"
            advice = "use a group with one field, or one that has at most one entry"
            self._context.mistakes.add(where, what, advice)
        attributes = {member.attribute for member in self._message.members}
        for member in group.members:
            if group.maximum == 1 and member.attribute in attributes:
                what = f"{self._label} takes `{taken}`, "
                what += f"whose field `{member.name}` is also a field of the message"
                self._context.mistakes.add(where, what, "remove `takes`")
        return group.members

    def _sets(self) -> Iterator[tuple[model.Member, str]]:
        values = self._node.mapping("sets")
        fields = {name: member for name, member in self._members.items() if member.group is None}
        for name in values:
            if not self._check_member_name(name, values.at(name), fields):
                continue
            member, code = fields[name], text(values, name)
            known = member.field.named_values
            what = f"`{code}` is not a code of `{name}`"
            if self._context.check_among(code, known, values.at(name), what):
                yield member, known[code]

    def _check_member_name(self, name: str, where: Location, known: Mapping[str, model.Member]) -> bool:
        """Return whether a member has this name; if not, record a mistake."""
        what = f"{self._label} names `{name}`, which is not one of its members"
        return self._context.check_among(name, known, where, what)
