"""Python representation of each lexical kind in generated code."""

from __future__ import annotations

import attrs

from codegen.model import CodeSet, Field
from codegen.naming import snake_case


@attrs.frozen
class PythonKind:
    """Python side of one `kalshi_fix_sansio.dialect.layout.Kind`."""

    accepts: str
    """Annotation of the constructor's argument."""
    converter: str
    """Function of `kalshi_fix_sansio.scalars` that a constructor applies."""
    module: str | None = None
    """Standard library module of its type."""


# Argument type, converter, and module of the type. The Python type itself is an attribute of the datatype,
# and the formatter's name follows from the kind. Numbers may be passed as text, never as float.
KINDS: dict[str, PythonKind] = {
    "STRING": PythonKind("str", "to_str"),
    "CHAR": PythonKind("str", "to_char"),
    "INT": PythonKind("int | str", "to_int"),
    "LENGTH": PythonKind("int | str", "to_seqnum"),
    "SEQNUM": PythonKind("int | str", "to_seqnum"),
    "NUMINGROUP": PythonKind("int | str", "to_seqnum"),
    "DECIMAL": PythonKind("Decimal | int | str", "to_decimal", "decimal"),
    "BOOLEAN": PythonKind("bool", "to_bool"),
    "UTCTIMESTAMP": PythonKind("datetime", "to_datetime", "datetime"),
    "UTCDATEONLY": PythonKind("date", "to_date", "datetime"),
    "UTCTIMEONLY": PythonKind("time", "to_time", "datetime"),
    "DATA": PythonKind("bytes | str", "to_data"),
}


def kind_of(field: Field) -> PythonKind:
    """Return the Python side of a field's datatype."""
    return KINDS[field.datatype.kind]


def annotation_of(field: Field) -> str:
    """Return the annotation of a value of this field, without `| None`."""
    plain = field.datatype.python
    return f"{field.codeset.name} | {plain}" if field.codeset else plain


def accepts_of(field: Field) -> str:
    """Return the annotation of the constructor's argument for this field, without `| None`."""
    plain = kind_of(field).accepts
    return f"{field.codeset.name} | {plain}" if field.codeset else plain


def converter_of(field: Field) -> str:
    """Return the name of the constructor's converter for this field."""
    return codeset_converter(field.codeset) if field.codeset else kind_of(field).converter


def formatter_of(field: Field) -> str:
    """Return the name of the function of `kalshi_fix_sansio.scalars` that an encoder applies."""
    return f"format_{field.datatype.kind.lower()}"


def codeset_converter(codeset: CodeSet) -> str:
    """Return the name of the generated function that converts values to members of this codeset."""
    return f"to_{snake_case(codeset.name)}"


def literal(field: Field, value: str) -> str:
    """Return a wire value as a Python expression, for defaults."""
    for code in field.codes:
        if field.codeset and code.value == value:
            return f"{field.codeset.name}.{code.constant}"
    match field.datatype.python:
        case "int":
            return str(int(value))
        case "bool":
            return str(value == "Y")
        case "Decimal":
            return f"Decimal({value!r})"
        case "bytes":
            return repr(value.encode("latin-1"))
        case _:
            return repr(value)
