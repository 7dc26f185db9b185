"""Common parts of the subcommands that trade: arguments, confirmation, and output of the outcome."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import wraps
from typing import Any, Final
from uuid import uuid4

import click

from kalshi_fix_adapters.cli.kit.failures import CommandError, converting_errors
from kalshi_fix_adapters.cli.kit.terminal import print_stderr, printable, wrapped
from kalshi_fix_adapters.cli.kit.values import ParsedParam, option_group
from kalshi_fix_adapters.cli.sessions.outcome import Outcome, Request, carry_out
from kalshi_fix_adapters.cli.sessions.target import Target, target_options
from kalshi_fix_adapters.config.plan import ConnectionPlan
from kalshi_fix_sansio import (
    DIALECT,
    TEXTS,
    ExecType,
    ExecutionReport,
    LogonFields,
    MassCancelResponse,
    OrderCancelReject,
    OrderMassCancelReport,
    Side,
)
from kalshi_fix_sansio.dialect.base import Message
from kalshi_fix_sansio.dialect.layout import Sender
from kalshi_fix_sansio.validation import logon_facts, validate

SESSION: Final = DIALECT.session_type_for("orders", resend=False).name
"""The session type of orders without resend. The session ends with the command, so messages could not be
resent later.
"""
REFUSED, UNKNOWN = 1, 3
"""Exit statuses; 2 is for usage errors."""
WIDTH: Final = 60
"""Number of columns of the output."""
MAX_ID: Final = 64
"""Maximum length of a ClOrdID in an argument, in characters."""
MAX_TEXT: Final = 256
"""Maximum length of the venue's Text in the output, in characters; longer texts are truncated."""
ONE, ZERO, PRICE_STEP = Decimal(1), Decimal(0), Decimal("0.0001")


_NUMBER: Final = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,18})?", re.ASCII)


class _NotPrintedError(CommandError):
    """A request was sent, but its outcome cannot be printed."""

    exit_code = UNKNOWN


def _number(text: str) -> Decimal:
    """Parse a decimal number without sign or exponent."""
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a number such as 10 or 0.40")
    return Decimal(text)


def _id(text: str) -> str:
    if not 0 < len(text) <= MAX_ID or not text.isascii() or not text.isprintable():
        raise ValueError(f"an id must have 1 to {MAX_ID} printable ASCII characters")
    return text


NUMBER, ID = ParsedParam("number", _number), ParsedParam("id", _id)
order_id_option: Final = click.option("--order-id", type=ID, help="OrderID, the venue's id for the order.")
SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
side_argument: Final = click.argument("side", type=click.Choice(list(SIDES)))
_request_options: Final = option_group(
    click.option(
        "--id",
        "cl_ord_id",
        type=ID,
        default=lambda: str(uuid4()),
        show_default=False,
        help="ClOrdID of the request. Default: a new UUID.",
    ),
    click.option("--yes", is_flag=True, help="Send without confirmation."),
    target_options,
)


def request_command(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that all requests have. The command receives the argument `plan`: the plan of an order
    session whose orders stay open after the disconnect.
    """

    @wraps(command)
    def with_plan(*, target: Target, **others: Any) -> None:
        fields = LogonFields(skip_pending_exec_reports=True)
        with converting_errors():
            command(plan=target.plan(SESSION, reconnect=None, logon_fields=fields), **others)

    return _request_options(with_plan)


def _check(plan: ConnectionPlan, request: Message) -> None:
    """Validate a request before the confirmation.

    Raises:
        CommandError: the request is invalid.
    """
    config = plan.config
    facts = logon_facts(DIALECT, config.logon_fields)
    problems = validate(
        request,
        request.MESSAGE,
        product=config.product,
        session=SESSION,
        sender=Sender.CLIENT,
        logon=facts,
    )
    if problems:
        raise CommandError("nothing was sent: " + "; ".join(map(str, problems)))


def _confirm(plan: ConnectionPlan, description: Sequence[str], *, yes: bool) -> None:
    """Print the request and its destination, and ask for confirmation.

    Raises:
        CommandError: the answer is no, or the input is not interactive or has ended.
        KeyboardInterrupt: the user pressed Ctrl-C.
    """
    destination = f"{plan.config.product}, {plan.environment}: {SESSION} at {plan.endpoint}"
    for line in (*description, destination):
        click.echo(wrapped(printable(line), WIDTH), err=True)
    if yes:
        return
    if not _is_interactive():
        raise CommandError("nothing was sent: there is no terminal for the confirmation; add --yes")
    try:
        if click.confirm("Send it?", err=True):
            return
    except click.Abort as abort:
        click.echo(err=True)  # the line of the prompt has no newline yet
        if isinstance(abort.__context__, KeyboardInterrupt):
            print_stderr("nothing was sent")
            raise KeyboardInterrupt from None
    raise CommandError("nothing was sent")


def _is_interactive() -> bool:
    return sys.stdin.isatty()


def cost(product: str, side: str, quantity: Decimal, price: Decimal) -> str:
    """Return a phrase that states the cost of an order."""
    if product == "margin":
        return f"worth {quantity * price:f} dollars; requires margin, plus fees"
    if side == "buy":
        return f"costs up to {quantity * price:f} dollars, plus fees"
    return f"costs up to {quantity * (ONE - price):f} dollars, plus fees; less if you hold Yes"


def perform(
    plan: ConnectionPlan,
    request: Request,
    description: Sequence[str],
    *,
    yes: bool,
    wait_for_reports: bool = False,
    never_rests: bool = False,
) -> Outcome:
    """Ask for confirmation (unless `yes` is set), send a request, and return its outcome.

    `description` contains the lines that describe the request. See `carry_out` for `wait_for_reports` and
    `never_rests`. If the request was refused, or its outcome is unknown, print the reason and exit with
    status 1 (refused) or 3 (unknown).

    Raises:
        CommandError: the request was not sent, or it was sent and its outcome cannot be printed.
        KeyboardInterrupt: the user pressed Ctrl-C.
    """
    _check(plan, request)
    _confirm(plan, description, yes=yes)
    outcome = carry_out(plan, request, wait_for_reports=wait_for_reports, never_rests=never_rests)
    if outcome.is_unknown:
        print_labelled("unknown", outcome.reason)
        print_fills(outcome)
        print_labelled("ClOrdID", request.cl_ord_id)
        print_labelled("advice", "look it up via REST or with `kalshi-fix orders`")
        raise click.exceptions.Exit(UNKNOWN)
    refusal = _refusal(outcome)
    if refusal is not None:
        print_labelled("refused", refusal)
        print_fills(outcome)
        raise click.exceptions.Exit(REFUSED)
    return outcome


def _refusal(outcome: Outcome) -> str | None:
    """Return the reason why a request was refused; None if it was not refused."""
    answer = outcome.answer
    if outcome.reject is not None:
        return _reason(outcome.reject.MSG_TYPE, getattr(outcome.reject, "text", None), "")
    if isinstance(answer, OrderCancelReject):
        reason = getattr(answer.cxl_rej_reason, "name", answer.cxl_rej_reason)
        return _reason(answer.MSG_TYPE, answer.text, str(reason or ""))
    if isinstance(answer, OrderMassCancelReport):
        if answer.mass_cancel_response == MassCancelResponse.ALL_ORDERS_CANCELLED:
            return None
        return str(answer.mass_cancel_reject_reason or "the venue gave no reason")
    if isinstance(answer, ExecutionReport) and answer.exec_type == ExecType.REJECTED:
        return _reason(answer.MSG_TYPE, answer.text, "")
    return None


def print_order(outcome: Outcome) -> None:
    """Print the fills and the state of the order."""
    print_fills(outcome)
    report = outcome.report
    if report is None:
        return
    if report.leaves_qty:
        price = "" if report.price is None else f" at {report.price:f} dollars"
        print_labelled("open", f"{report.leaves_qty:f} contracts{price}")
    elif report.exec_type in (ExecType.CANCELED, ExecType.EXPIRED):
        kind = "canceled" if report.exec_type == ExecType.CANCELED else "expired"
        print_labelled(
            "ended", f"{kind}: {_reason(report.MSG_TYPE, report.text, '')}" if report.text else kind
        )
    print_labelled("ClOrdID", report.cl_ord_id)
    print_labelled("OrderID", report.order_id)


def _reason(msg_type: str, text: str | None, reason: str) -> str:
    known = TEXTS.get((msg_type, text or ""))
    stated = (text or reason or "the venue gave no reason")[:MAX_TEXT]
    return stated if known is None else f"{stated}: {known.meaning}"


def print_labelled(label: str, text: str) -> None:
    """Print a label and one part of the outcome of a sent request, wrapped to 60 columns.

    Raises:
        CommandError: the line cannot be written. The exit status is that of an unknown outcome, because
            status 1 would mean that nothing is open.
        BrokenPipeError: the reader of the output has closed the pipe.
    """
    try:
        click.echo(wrapped(f"{label:<9}{printable(text)}", WIDTH, indent=9))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _NotPrintedError(
            f"the request was sent, but its outcome cannot be written ({error.strerror}): "
            f"{label} {printable(text)}"
        ) from None


def print_fills(outcome: Outcome) -> None:
    """Print the fills, if any."""
    trades = [(each.last_px, each.last_qty) for each in outcome.fills]
    priced = [(price, quantity) for price, quantity in trades if price is not None and quantity]
    if not priced:
        return
    filled = sum((quantity for _, quantity in priced), ZERO)
    value = sum((price * quantity for price, quantity in priced), ZERO)
    fees = sum((fee.misc_fee_amt for each in outcome.fills for fee in each.misc_fees), ZERO)
    print_labelled(
        "filled", f"{filled:f} contracts at {(value / filled).quantize(PRICE_STEP):f} dollars on average"
    )
    print_labelled("value", f"{value:f} dollars, plus {fees:f} dollars in fees")
