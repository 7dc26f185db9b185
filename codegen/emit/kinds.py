"""The annotation, converter, formatter and default of a field in generated code."""

from __future__ import annotations

from codegen.model import CodeSet, Field
from codegen.naming import snake_case


def annotation_of(field: Field) -> str:
    """Return the annotation of a value of this field, without `| None`."""
    plain = field.datatype.python.type
    return f"{field.codeset.name} | {plain}" if field.codeset else plain


def argument_annotation_of(field: Field) -> str:
    """Return the annotation of the constructor's argument for this field, without `| None`."""
    plain = field.datatype.python.accepts
    return f"{field.codeset.name} | {plain}" if field.codeset else plain


def converter_of(field: Field) -> str:
    """Return the name of the constructor's converter for this field."""
    return codeset_converter(field.codeset) if field.codeset else field.datatype.python.converter


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
    match field.datatype.python.type:
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
