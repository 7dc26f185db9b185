"""Converters for the dates and times passed to the constructors of messages."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from kalshi_fix_sansio.scalars.forms import is_date


def to_datetime(value: datetime) -> datetime:
    """Return an aware datetime for a UTCTIMESTAMP field, converted to UTC.

    Raises:
        TypeError: the value is not a datetime.
        ValueError: the value has no time zone, so its instant is ambiguous, or it cannot be represented in
            UTC.
    """
    if not isinstance(value, datetime):
        raise TypeError(f"expected a datetime, not {type(value).__name__}")
    if value.tzinfo is UTC:
        return value
    if value.utcoffset() is None:
        raise ValueError(
            "expected a datetime with a time zone, such as datetime(2026, 1, 2, 15, 30, tzinfo=UTC)"
        )
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the datetime lies outside the years 1 to 9999 in UTC") from None


def to_date(value: date) -> date:
    """Return a date for a UTCDATEONLY or LOCALMKTDATE field; raise TypeError for a datetime or another
    type.
    """
    if not is_date(value):
        raise TypeError(f"expected a date, not {type(value).__name__}")
    return value


def to_time(value: time) -> time:
    """Return a time of day without a time zone for a UTCTIMEONLY field. The time zone of `value` must be UTC
    or absent; a time without a time zone is in UTC.

    Raises:
        TypeError: the value is not a time.
        ValueError: the value has another time zone, from which it cannot be converted to UTC without a date.
    """
    if not isinstance(value, time):
        raise TypeError(f"expected a time, not {type(value).__name__}")
    if value.tzinfo is None:
        return value
    if value.utcoffset() != timedelta(0):
        raise ValueError("expected a time of day in UTC")
    return value.replace(tzinfo=None)
