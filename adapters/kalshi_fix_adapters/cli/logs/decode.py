"""`kalshi-fix decode`: the content and the problems of FIX messages in logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import groupby
from typing import Final

import click

from kalshi_fix_adapters.cli.kit.failures import NOTHING_FOUND, PROBLEMS_FOUND, UNREADABLE
from kalshi_fix_adapters.cli.kit.terminal import Line, Screen, print_stderr
from kalshi_fix_adapters.cli.kit.values import option_group
from kalshi_fix_adapters.cli.logs import filters
from kalshi_fix_adapters.cli.logs.as_of import as_of_option
from kalshi_fix_adapters.cli.logs.decoding import PROBLEM, Batch, Decoder, Form, OutputOptions
from kalshi_fix_adapters.cli.logs.files import STDIN, OtherVersionCounter, Progress, UnreadableError, chunks
from kalshi_fix_adapters.cli.logs.order_list import OrderList
from kalshi_fix_adapters.cli.logs.summary import Summary
from kalshi_fix_adapters.logs.dates import AsOf
from kalshi_fix_adapters.logs.entries import Direction
from kalshi_fix_adapters.logs.reader import LogReader
from kalshi_fix_adapters.logs.split import in_processes

POLL_SECONDS = 0.2


form_options: Final = option_group(
    click.option("--full", "form", flag_value=Form.FULL, type=Form, help="Print all fields, one per line."),
    click.option("--json", "form", flag_value=Form.JSON, type=Form, help="Print one JSON object per line."),
)
"""The options for the form of each message."""


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@form_options
@click.option(
    "--summary", "form", flag_value=Form.NONE, type=Form, help="Print counts, gaps, problems and latencies."
)
@click.option("--orders", "form", flag_value=Form.ORDERS, type=Form, help="Print a line for each order.")
@filters.field_options
@click.option("--direction", type=click.Choice(["sent", "received"]), help="Only messages in this direction.")
@click.option(
    "--since",
    type=filters.TIME_BOUND,
    help="Only messages from this time onwards, in UTC, such as 14:30 or 2026-11-21.",
)
@click.option("--until", type=filters.TIME_BOUND, help="Only messages before this time, in UTC.")
@as_of_option
@click.option("-f", "--follow", is_flag=True, help="Wait at the end of the file for new messages.")
@click.option("--processes", type=click.IntRange(1), default=1, help="Number of processes to use.")
def decode(
    files: tuple[str, ...],
    form: Form | None,
    patterns: filters.Patterns,
    direction: Direction | None,
    since: filters.TimeBound | None,
    until: filters.TimeBound | None,
    as_of: AsOf,
    follow: bool,
    processes: int,
) -> None:
    """Print the FIX messages of log FILEs (- for standard input), one per line, and their problems.

    Fields may be separated by SOH or a substitute (|, ^A, <SOH>, an escape). A time and a direction are taken
    from the text before 8=FIXT.1.1 on the same line; other text is ignored. A message may span several lines,
    and a line may contain several messages. Files whose name ends with .gz are decompressed, and recordings
    are read like wire logs. Signatures and passwords are not shown.

    Exit status: 0 if all messages were valid, 1 if one had problems, 2 if a file could not be read, 3 if no
    message was found, 130 after Ctrl-C, 141 if the reader of the output closed the pipe.
    """
    names = files or (STDIN,)
    if follow and (len(names) > 1 or processes > 1 or names[0].endswith(".gz")):
        raise click.UsageError(
            "--follow allows only one file, which must not be compressed, and only one process"
        )
    if processes > 1 and form is Form.FULL:
        raise click.UsageError(
            "--full allows only one process: the unit of prices depends on earlier messages"
        )
    selected = filters.Filters(patterns, direction, since, until)
    options = OutputOptions(form or Form.BRIEF, selected, on_terminal=sys.stdout.isatty(), as_of=as_of)
    output = Output(options, titled=len(names) > 1)
    try:
        for name in names:
            _decode(name, options, output, follow=follow, processes=processes)
        sys.exit(output.finish())
    except UnreadableError as error:
        print_stderr(str(error))
        sys.exit(UNREADABLE)
    except KeyboardInterrupt:
        if follow:
            output.finish()
        raise


class Output:
    """Prints the messages of all files, and collects their summary and exit status."""

    def __init__(self, options: OutputOptions, *, titled: bool) -> None:
        self._screen = Screen()
        self._options = options
        self._titled = titled
        self.message_count: int = 0
        """Number of messages printed."""
        self._problems = 0
        self._summary = Summary()
        self._orders = OrderList()
        self.versions: OtherVersionCounter = OtherVersionCounter()

    def begin(self, name: str) -> None:
        """Print the name of the next file, if there are several."""
        if self._titled and self._options.form in (Form.BRIEF, Form.FULL):
            self._screen.print_lines([(("bold", f"==> {name} <=="),)])

    def add(self, batch: Batch) -> None:
        """Print the output for some messages."""
        self.message_count += batch.match_count
        self._problems += batch.problem_count
        for facts, is_selected, has_problems in batch.facts:
            self._summary.add(facts, selected=is_selected, has_problems=has_problems)
        for each in batch.orders:
            self._orders.add(each)
        if batch.text:
            self._screen.print_text(batch.text)
        is_brief = self._options.form is Form.BRIEF
        # Messages are truncated to the width of the terminal; their problems are not.
        for is_problem, lines in groupby(batch.lines, _is_problem):
            self._screen.print_lines(list(lines), truncate=is_brief and not is_problem)
        # Flush, so that a log that is still being written is shown up to its current end.
        self._screen.flush()

    def finish(self) -> int:
        """Print the summary; return the exit status."""
        count, problems = (
            self.message_count + self._summary.message_count,
            self._problems + self._summary.problem_count,
        )
        results: dict[Form, Summary | OrderList] = {Form.NONE: self._summary, Form.ORDERS: self._orders}
        if self._options.form in results and count:
            self._screen.print_lines(list(results[self._options.form].lines()))
            self._screen.flush()
        for text in self.versions.sentences():
            print_stderr(text)
        if not count:
            matching = " matching" if self._options.filters.any else ""
            print_stderr(f"no{matching} FIX message (8=FIXT.1.1) found")
            return NOTHING_FOUND
        return PROBLEMS_FOUND if problems else 0


def _is_problem(line: Line) -> bool:
    return bool(line) and line[0][1].startswith(PROBLEM)


def _decode(name: str, options: OutputOptions, output: Output, *, follow: bool, processes: int) -> None:
    output.begin(name)
    with Progress(
        name, shown=options.form in (Form.NONE, Form.ORDERS) or not options.on_terminal
    ) as progress:
        wait = (lambda: time.sleep(POLL_SECONDS)) if follow else None
        log_data = output.versions.watch(progress.watch(chunks(name, wait)))
        if processes == 1:
            batches = _batches(log_data, options)
        else:
            batches = in_processes(Decoder(options).decode_batch, log_data, processes)
        for batch in batches:
            output.add(batch)


def _batches(log_data: Iterator[bytes], options: OutputOptions) -> Iterator[Batch]:
    decoder, reader = Decoder(options), LogReader()
    for chunk in log_data:
        yield decoder.decode_batch(reader.feed(chunk))
    yield decoder.decode_batch(reader.close())
