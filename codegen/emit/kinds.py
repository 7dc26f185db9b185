"""How each lexical kind looks in generated Python."""

from __future__ import annotations

import attrs

from codegen.model import CodeSet, Field
from codegen.naming import snake_case


@attrs.frozen
class PythonKind:
    """The Python side of one `kalshi_fix_sansio.layout.Kind`."""

    annotation: str
    accepts: str
    """The annotation of what a constructor takes for it."""
    converter: str
    """The function of `kalshi_fix_sansio.scalars` that a constructor applies."""
    formatter: str
    """The function of `kalshi_fix_sansio.scalars` that an encoder applies."""
    module: str | None = None
    """The standard library module that the annotation comes from."""


KINDS: dict[str, PythonKind] = {
    "STRING": PythonKind("str", "str", "to_str", "format_string"),
    "CHAR": PythonKind("str", "str", "to_char", "format_char"),
    "INT": PythonKind("int", "int | str", "to_int", "format_int"),
    "LENGTH": PythonKind("int", "int | str", "to_seqnum", "format_length"),
    "SEQNUM": PythonKind("int", "int | str", "to_seqnum", "format_seqnum"),
    "NUMINGROUP": PythonKind("int", "int | str", "to_seqnum", "format_numingroup"),
    "DECIMAL": PythonKind("Decimal", "Decimal | int | str", "to_decimal", "format_decimal", "decimal"),
    "BOOLEAN": PythonKind("bool", "bool", "to_bool", "format_boolean"),
    "UTCTIMESTAMP": PythonKind("datetime", "datetime", "to_datetime", "format_utctimestamp", "datetime"),
    "UTCDATEONLY": PythonKind("date", "date", "to_date", "format_utcdateonly", "datetime"),
    "UTCTIMEONLY": PythonKind("time", "time", "to_time", "format_utctimeonly", "datetime"),
    "DATA": PythonKind("bytes", "bytes | str", "to_data", "format_data"),
}


def kind_of(field: Field) -> PythonKind:
    """Return the Python side of a field's datatype."""
    return KINDS[field.datatype.kind]


def annotation_of(field: Field) -> str:
    """Return the annotation of a value of this field, without `| None`."""
    plain = kind_of(field).annotation
    return f"{field.codeset.name} | {plain}" if field.codeset else plain


def accepts_of(field: Field) -> str:
    """Return the annotation of what a constructor takes for this field, without `| None`."""
    plain = kind_of(field).accepts
    return f"{field.codeset.name} | {plain}" if field.codeset else plain


def converter_of(field: Field) -> str:
    """Return the name of the constructor's converter for this field."""
    return codeset_converter(field.codeset) if field.codeset else kind_of(field).converter


def codeset_converter(codeset: CodeSet) -> str:
    """Return the name of the generated function that turns values into members of this codeset."""
    return f"to_{snake_case(codeset.name)}"


def codeset_table(codeset: CodeSet) -> str:
    """Return the name of the table that this function looks values up in."""
    return f"_{snake_case(codeset.name).upper()}"


def literal(field: Field, value: str) -> str:
    """Return the expression of a wire value, for defaults."""
    if field.codeset:
        for code in field.codeset.codes:
            if code.value == value:
                return f"{field.codeset.name}.{code.constant}"
    match kind_of(field).annotation:
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
