"""HTTP dates: made as IMF-fixdate, read in all three forms.

Owns nothing else; it knows no clock. Source: RFC 9110 5.6.7.
"""

import calendar
import re
import time
from functools import lru_cache
from typing import Final

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LONG_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

TIME: Final = r"(?P<hour>[0-2][0-9]):(?P<minute>[0-5][0-9]):(?P<second>[0-6][0-9])"
MONTH: Final = rf"(?P<month>{'|'.join(MONTHS)})"
FORMS: Final = (
    # IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
    re.compile(rf"(?:{'|'.join(DAYS)}), (?P<day>[0-3][0-9]) {MONTH} (?P<year>[0-9]{{4}}) {TIME} GMT"),
    # rfc850-date: Sunday, 06-Nov-94 08:49:37 GMT
    re.compile(rf"(?:{'|'.join(LONG_DAYS)}), (?P<day>[0-3][0-9])-{MONTH}-(?P<year>[0-9]{{2}}) {TIME} GMT"),
    # asctime-date: Sun Nov  6 08:49:37 1994
    re.compile(rf"(?:{'|'.join(DAYS)}) {MONTH} (?P<day>[ 0-3][0-9]) {TIME} (?P<year>[0-9]{{4}})"),
)


@lru_cache(maxsize=1024)
def format_date(seconds: int) -> str:
    """IMF-fixdate of a time in seconds since 1970."""
    year, month, day, hour, minute, second, weekday = time.gmtime(seconds)[:7]
    return f"{DAYS[weekday]}, {day:02} {MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


def parse_date(text: str, now: int = 1 << 40) -> int | None:
    """Seconds since 1970; None for anything but an HTTP date.

    RFC 9110 5.6.7: a two-digit year that "appears to be more than 50 years in the future" is of the century
    before; `now` decides.
    """
    match = next(filter(None, (form.fullmatch(text) for form in FORMS)), None)
    if match is None:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        year = full_year(year, now)
    month, day = MONTHS.index(match["month"]) + 1, int(match["day"])
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    if hour > 23 or second > 60 or year == 0 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    return calendar.timegm((year, month, day, hour, minute, second))


def full_year(year: int, now: int) -> int:
    """The century of a two-digit year, seen from `now`."""
    present = time.gmtime(min(now, LAST_SECOND)).tm_year
    guess = present - present % 100 + year
    return guess - 100 if guess > present + 50 else guess


LAST_SECOND: Final = 253402300799
"""The end of the year 9999."""
