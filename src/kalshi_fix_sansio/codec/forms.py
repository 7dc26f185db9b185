"""The memory of the fast way out: which forms of message have code, and when code is made."""

from __future__ import annotations

from typing import Any, Final

import attrs

from kalshi_fix_sansio.base import Message
from kalshi_fix_sansio.codec.composer import COMPOSER_ERRORS, Compose, Present, composer, form_of
from kalshi_fix_sansio.layout import Dialect

MAX_FORMS: Final = 8
"""Forms of one class that are kept; the one not used for longest goes."""
MAX_SIGHTINGS: Final = 256
"""Forms seen once that are remembered; then all of them are forgotten."""
FREE_COMPILATIONS: Final = 128
"""Forms that get code as soon as they are sent twice."""
WRITINGS_PER_COMPILATION: Final = 100
"""Beyond that, how many messages must have gone the careful way for each further form."""


@attrs.frozen(eq=False)
class Form:
    """One form of a class, ready to encode."""

    present: Present
    compose: Compose


class FormCache:
    """Encodes messages of known forms, and gets to know forms from messages that were written carefully."""

    __slots__ = ("_compilations", "_dialect", "_forms", "_sightings", "_writings", "latest")

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.latest: dict[type[Message], Compose] = {}
        """By class, the code of the form that was used last: the one to try first."""
        self._forms: dict[type[Message], tuple[Form, ...]] = {}
        """By class, the one used last in front."""
        self._sightings: set[tuple[type[Message], Present]] = set()
        self._writings = 0
        self._compilations = 0

    def encode(self, message: Message, header: Any) -> bytes | None:
        """Return the message on the wire if its form is another known one than the latest, and its values are
        plain; None says nothing."""
        cls = message.__class__
        forms = self._forms.get(cls, ())
        for form in forms[1:]:
            try:
                found = form.compose(message, header)
            except COMPOSER_ERRORS:
                return None  # It is this form, and a value is not plain.
            if found is not None:
                self._keep(cls, (form, *(other for other in forms if other is not form)))
                return found
        return None

    def learn(self, message: Message, header: Any) -> None:
        """Note the form of a message that was written carefully; make code when it comes again."""
        self._writings += 1
        cls = message.__class__
        layout = self._dialect.by_class.get(cls)
        if (
            layout is None
            or header is None
            or message.trailer is not None
            or message.unknown
            or header.unknown
        ):
            return
        present = form_of(layout, self._dialect, message, header)
        key, forms = (cls, present), self._forms.get(cls, ())
        if any(form.present == present for form in forms):
            return
        if key not in self._sightings:
            if len(self._sightings) >= MAX_SIGHTINGS:
                self._sightings.clear()
            self._sightings.add(key)
            return
        if self._compilations >= FREE_COMPILATIONS + self._writings // WRITINGS_PER_COMPILATION:
            return
        self._compilations += 1
        made = Form(present, composer(layout, self._dialect, present))
        self._keep(cls, (made, *forms)[:MAX_FORMS])

    def _keep(self, cls: type[Message], forms: tuple[Form, ...]) -> None:
        self._forms[cls] = forms
        self.latest[cls] = forms[0].compose
