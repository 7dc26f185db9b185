"""Operations on a running venue, by name: from code (`VenueModel.perform`), from a scenario file, or
from another shell (`kalshi-fix venue do`).

Each operation is an attrs class: its docstring is its help, and its attributes are its parameters.
`OPERATIONS` contains all operations by name, and `faults.FAULTS` contains the faults. `operation` creates an
operation from its name and values, which may be text.
"""

from __future__ import annotations

from collections.abc import Mapping

from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_sansio.errors import ConfigurationError
from kalshi_fix_venue.operations import drop_copy, faults, operator
from kalshi_fix_venue.operations.base import Operation, defined_in
from kalshi_fix_venue.parameters import build, display_name

OPERATIONS: Mapping[str, type[Operation]] = {
    name: cls for module in (operator, drop_copy, faults) for name, cls in defined_in(vars(module)).items()
}
"""All operations by name, in the order used by the help and the schema."""


def operation(name: str, values: Mapping[str, object] | None = None) -> Operation:
    """Create an operation from its name and the values of its parameters, which may be text.

    Raises:
        ConfigurationError: the name is unknown, or a parameter is unknown, missing or wrong; for an unknown
            name, the error lists the valid ones.
    """
    cls = OPERATIONS.get(display_name(name))
    if cls is None:
        raise ConfigurationError(f"there is no operation {name!r}; {did_you_mean(name, OPERATIONS)}")
    built: Operation = build(cls, name, values or {})
    return built
