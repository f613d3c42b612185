"""HTTP-date in its three forms: what the standard library reads and writes, and nothing that only looks like one."""

from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastedge.semantics.dates import read_date, write_date

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
LAST_SECOND = 253402300799
SECONDS = st.integers(0, LAST_SECOND)


def moment(*parts):
    return datetime(*parts, tzinfo=UTC).timestamp()


def rfc850(seconds):
    return format(datetime.fromtimestamp(seconds, UTC), "%A, %d-%b-%y %H:%M:%S GMT").encode()


def asctime(seconds):
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).ctime().encode()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"Fri, 02 Mar 2012 07:05:09 GMT", (2012, 3, 2, 7, 5, 9)),
        (b"Friday, 02-Mar-12 07:05:09 GMT", (2012, 3, 2, 7, 5, 9)),
        (b"Fri Mar  2 07:05:09 2012", (2012, 3, 2, 7, 5, 9)),
        (b"Mon Mar 12 07:05:09 2012", (2012, 3, 12, 7, 5, 9)),
        (b"Thu, 01 Jan 1970 00:00:00 GMT", (1970, 1, 1)),
        (b"Tue, 29 Feb 2000 23:59:59 GMT", (2000, 2, 29, 23, 59, 59)),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", (9999, 12, 31, 23, 59, 59)),
    ],
)
def test_forms_are_read(text, parts):
    assert read_date(text, NOW) == moment(*parts)


@pytest.mark.parametrize("text", [b"FRI, 02 MAR 2012 07:05:09 GMT", b"fri, 02 mar 2012 07:05:09 gmt"])
def test_case_does_not_matter_to_a_cache(text):
    assert read_date(text, NOW) == moment(2012, 3, 2, 7, 5, 9)


def test_day_of_the_week_need_not_be_right():
    assert read_date(b"Sun, 02 Mar 2012 07:05:09 GMT", NOW) == moment(2012, 3, 2, 7, 5, 9)


def test_leap_second_is_the_one_before_it():
    assert read_date(b"Sat, 31 Dec 2016 23:59:60 GMT", NOW) == moment(2016, 12, 31, 23, 59, 59)


@pytest.mark.parametrize("text", [b"Wed, 31 Dec 1969 23:59:59 GMT", b"Mon, 01 Jan 0000 00:00:00 GMT"])
def test_date_before_1970_is_1970(text):
    assert read_date(text, NOW) == 0.0


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"0",
        b"1331881509",
        b"Fri, 02 Mar 2012 07:05:09 UTC",
        b"Fri, 02 Mar 2012 07:05:09 EST",
        b"Fri, 02 Mar 2012 07:05:09 +0000",
        b"Fri, 02 Mar 2012 07:05:09",
        b"Fri, 02 Mar 2012 07:05:09 GMT ",
        b" Fri, 02 Mar 2012 07:05:09 GMT",
        b"Fri,  2 Mar 2012 07:05:09 GMT",
        b"Fri, 2 Mar 2012 07:05:09 GMT",
        b"Fri, 02 Mar 12 07:05:09 GMT",
        b"Fri 02 Mar 2012 07:05:09 GMT",
        b"Fri, 02-Mar-2012 07:05:09 GMT",
        b"Fri, 02 Mar 2012 07.05.09 GMT",
        b"Fri, 02 Mar 2012 7:05:09 GMT",
        b"Fry, 02 Mar 2012 07:05:09 GMT",
        b"Friday, 02 Mar 2012 07:05:09 GMT",
        b"Fri, 02-Mar-12 07:05:09 GMT",
        b"Frid, 02-Mar-12 07:05:09 GMT",
        b"Friday\0\0, 02-Mar-12 07:05:09 GMT",
        b", 02-Mar-12 07:05:09 GMT",
        b"Fri, 02 Mai 2012 07:05:09 GMT",
        b"Fri, 02 arM 2012 07:05:09 GMT",
        b"Fri, 00 Mar 2012 07:05:09 GMT",
        b"Fri, 32 Mar 2012 07:05:09 GMT",
        b"Tue, 31 Apr 2012 07:05:09 GMT",
        b"Tue, 31 Nov 2012 07:05:09 GMT",
        b"Tue, 29 Feb 2011 07:05:09 GMT",
        b"Mon, 29 Feb 2100 07:05:09 GMT",
        b"Fri, 02 Mar 2012 24:00:00 GMT",
        b"Fri, 02 Mar 2012 07:60:09 GMT",
        b"Fri, 02 Mar 2012 07:05:61 GMT",
        b"Fri, 02 Mar 2012 07:05:0x GMT",
        b"Fri Mar  2 07:05:09 2012 GMT",
        b"Fri Mar 2 07:05:09 2012",
        b"Fri, 02 Mar 2012 07:05:09 GMT, Fri, 02 Mar 2012 07:05:09 GMT",
    ],
)
def test_what_is_no_date(text):
    assert read_date(text, NOW) == -1.0


@pytest.mark.parametrize(
    ("year", "digits", "read"),
    [
        (2026, "26", 2026),
        (2026, "27", 2027),
        (2026, "75", 2075),
        (2026, "77", 1977),
        (2026, "99", 1999),
        (2026, "00", 2000),
        (2080, "10", 2110),
        (2080, "31", 2031),
        (1999, "05", 2005),
    ],
)
def test_year_of_two_digits_is_at_most_50_years_ahead(year, digits, read):
    text = f"Sunday, 06-Jun-{digits} 01:02:03 GMT".encode()
    assert read_date(text, moment(year, 6, 6)) == moment(read, 6, 6, 1, 2, 3)


def test_year_of_two_digits_is_settled_by_the_moment_in_the_50th_year():
    assert read_date(b"Monday, 01-Jun-76 00:00:00 GMT", moment(2026, 6, 2)) == moment(2076, 6, 1)
    assert read_date(b"Monday, 03-Jun-76 00:00:00 GMT", moment(2026, 6, 1)) == moment(1976, 6, 3)


@given(SECONDS)
def test_written_date_is_the_standard_librarys_and_reads_back(seconds):
    assert write_date(seconds) == formatdate(seconds, usegmt=True).encode()
    assert read_date(write_date(seconds), NOW) == seconds


@given(SECONDS)
def test_asctime_reads_as_written(seconds):
    assert read_date(asctime(seconds), NOW) == seconds


@given(st.integers(int(timedelta(days=50 * 366).total_seconds()), 4_000_000_000), st.integers(-49 * 365, 49 * 365))
def test_rfc850_within_half_a_century_reads_as_written(now, days):
    assert read_date(rfc850(now + days * 86400), now) == now + days * 86400


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.999, b"Thu, 01 Jan 1970 00:00:00 GMT"),
        (-1.0, b"Thu, 01 Jan 1970 00:00:00 GMT"),
        (float("nan"), b"Thu, 01 Jan 1970 00:00:00 GMT"),
        (float("inf"), b"Fri, 31 Dec 9999 23:59:59 GMT"),
    ],
)
def test_moment_without_a_date_is_written_as_the_nearest(seconds, written):
    assert write_date(seconds) == written


SHAPED = st.from_regex(rb"(Sun|Monday), [0-3]\d([ -])(Jan|Feb)\2\d{2,4} [0-2]\d:[0-6]\d:[0-6]\d GMT", fullmatch=True)


@given(st.binary(max_size=40) | SHAPED, st.floats())
@example(b"Monday, 01-Jan-00 00:00:00 GMT", LAST_SECOND - 1.0)
def test_any_bytes_and_any_now_give_an_answer(text, now):
    seconds = read_date(text, now)
    assert seconds == -1.0 or 0 <= seconds <= LAST_SECOND
