"""`kalshi-fix venue do`: run an operation on a running venue, from another shell."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import click

from kalshi_fix_adapters.cli.kit.failures import converting_errors
from kalshi_fix_adapters.cli.kit.terminal import Screen, plain, printable
from kalshi_fix_adapters.cli.kit.values import ParsedParam
from kalshi_fix_adapters.documents.names import did_you_mean
from kalshi_fix_venue.cli.status import print_status
from kalshi_fix_venue.control import FOLDER_VARIABLE, find_control_file, send_operation
from kalshi_fix_venue.operations import OPERATIONS, operation
from kalshi_fix_venue.operations.base import Operation
from kalshi_fix_venue.operations.operator import Status
from kalshi_fix_venue.parameters import Parameter, display_name, parameters


class _Operations(click.Group):
    """One command for each operation. For an unknown name, it suggests the closest one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None:
            ctx.fail(f"there is no operation {args[0]!r}; {did_you_mean(args[0], self.commands)}")
        return super().resolve_command(ctx, args)


_COMMON_OPTIONS = (
    click.Option(
        ["--folder"],
        type=click.Path(path_type=Path, file_okay=False),
        help=f"Folder of the venue. By default ${FOLDER_VARIABLE}, which env.sh sets. If that variable is "
        "not set, the folder of the only venue that is running in a temporary folder.",
    ),
    click.Option(["--json", "as_object"], is_flag=True, help="Print the whole answer as one JSON object."),
)
"""Options that are accepted before or after the operation."""


@click.group(name="do", cls=_Operations, params=list(_COMMON_OPTIONS))
@click.pass_context
def do(context: click.Context, folder: Path | None, as_object: bool) -> None:
    """Run an operation on a running venue.

    The exit status is 1 if no venue is running or if the venue refuses the operation, and 2 for wrong
    arguments.
    """
    context.obj = (folder, as_object)


def _perform(requested: Operation, folder: Path | None, *, as_object: bool) -> None:
    with converting_errors():
        answer = send_operation(find_control_file(folder), requested)
    screen = Screen()
    if as_object:
        screen.print_text([json.dumps(answer)])
        return
    text = answer.pop("text", None)
    if text is not None:
        screen.print_lines([plain(printable(str(text)))])
    if isinstance(requested, Status):
        print_status(screen, answer)
    else:
        _print_tables(screen, answer)


def _print_tables(screen: Screen, answer: dict[str, Any]) -> None:
    """Print the values of an answer that are lists of rows."""
    for name, value in answer.items():
        if _is_rows(value):
            columns = list(value[0])
            screen.print_table(
                display_name(name), columns, [[str(row[column]) for column in columns] for row in value]
            )


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _command(name: str, cls: type[Operation]) -> click.Command:
    def call(folder: Path | None, as_object: bool, **values: Any) -> None:
        group_folder, group_as_object = click.get_current_context().obj
        # Parameters that were not given are left out, so the operation applies its own defaults.
        given = {key: value for key, value in values.items() if value is not None}
        with converting_errors():
            requested = operation(name, given)
        _perform(requested, folder or group_folder, as_object=as_object or group_as_object)

    doc = inspect.getdoc(cls) or ""
    arguments = [each for each in parameters(cls) if each.positional]
    if arguments:
        doc += "\n\n" + "\n\n".join(f"{each.name.upper()}: {_doc(each)}" for each in arguments)
    params = [*(_click_parameter(each) for each in parameters(cls)), *_COMMON_OPTIONS]
    return click.Command(name, callback=call, params=params, help=doc)


def _click_parameter(parameter: Parameter) -> click.Parameter:
    value = ParsedParam(parameter.kind.placeholder, parameter.kind.read)  # checked before anything is sent
    if parameter.positional:
        metavar = parameter.name.upper() if parameter.required else f"[{parameter.name.upper()}]"
        return click.Argument([parameter.name], type=value, required=parameter.required, metavar=metavar)
    names, metavar = [f"--{display_name(parameter.name)}", parameter.name], parameter.kind.placeholder
    return click.Option(names, type=value, required=parameter.required, metavar=metavar, help=_doc(parameter))


def _doc(parameter: Parameter) -> str:
    text = parameter.doc
    if parameter.positional and parameter.kind.choices:
        text += f" ({parameter.kind.placeholder})"
    if parameter.required or parameter.default is None:
        return text
    default = (
        {True: "yes", False: "no"}[parameter.default]
        if isinstance(parameter.default, bool)
        else parameter.default
    )
    return (
        f"{text}; by default {default:g}" if isinstance(default, float) else f"{text}; by default {default}"
    )


for _name, _cls in OPERATIONS.items():
    do.add_command(_command(_name, _cls))
