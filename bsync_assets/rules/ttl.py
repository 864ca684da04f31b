"""How long a qualification lasts (TRT-080 to TRT-083). The macro in `ttl.sql` is the same rule for tables."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

# A life longer than this (27 centuries) never ends, so that no TTL leads outside the calendar.
LONGEST_LIFE = 1_000_000


def expires_on(last: date, ttl_days: int) -> date | None:
    """UTC date at whose 00:00 a qualification last renewed on UTC date `last` ends; None = never (TTL 0)."""
    if not 1 <= ttl_days <= LONGEST_LIFE:
        return None
    return last + timedelta(days=ttl_days + 1)


def expires_at(last: datetime, ttl_days: int) -> datetime | None:
    """Instant (UTC) at which a qualification last renewed at `last` (UTC if naive) ends; None = never."""
    last_utc = last.replace(tzinfo=UTC) if last.tzinfo is None else last.astimezone(UTC)
    day = expires_on(last_utc.date(), ttl_days)
    return None if day is None else datetime.combine(day, time(), UTC)


def is_active(last: date, ttl_days: int, business_day: date) -> bool:
    """Whether the run for `business_day`, which looks at 00:00 UTC of the day after, sees it (TRT-083)."""
    end = expires_on(last, ttl_days)
    return end is None or business_day + timedelta(days=1) < end
