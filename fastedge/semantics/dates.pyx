"""HTTP-date (RFC 9110 §5.6.7): three forms are read, IMF-fixdate is written.

Never asks a locale, nor whether the day of the week is the date's own.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.string cimport memcpy, strlen

from fastedge._core.civil cimport Civil, civil_of, days_in_month, days_of
from fastedge._core.jsontext cimport digits

cdef extern from "strings.h" nogil:
    int strncasecmp(const char*, const char*, size_t)

# Letters stand for themselves in any case (RFC 9111 §4.2), "0" for a digit, "_" for a digit or a space, "?" for any byte.
cdef const char* _IMF_FIXDATE = "???, 00 ??? 0000 00:00:00 GMT"
cdef const char* _ASCTIME = "??? ??? _0 00:00:00 0000"
cdef const char* _RFC850_TAIL = ", 00-???-00 00:00:00 GMT"   # behind the whole name of the day

cdef enum:
    IMF_FIXDATE_SIZE = 29
    ASCTIME_SIZE = 24
    RFC850_TAIL_SIZE = 24

cdef const char** _WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
cdef const char* _MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"

cdef double LAST_SECOND = 253402300799.0     # of the year 9999
cdef double FIFTY_YEARS = 50 * 365.25 * 86400


cdef double parse_date(const char* at, Py_ssize_t size, double now) noexcept:
    """Seconds since 1970, or -1.0 for what is no date. A date before 1970 gives 0.0; `now` settles a year of two digits."""
    if size == IMF_FIXDATE_SIZE:
        return _parse_imf_fixdate(at)
    if size == ASCTIME_SIZE:
        return _parse_asctime(at)
    return _parse_rfc850(at, size, now)


cdef double _parse_imf_fixdate(const char* at) noexcept:
    if not _has_shape(at, _IMF_FIXDATE, IMF_FIXDATE_SIZE) or not _is_weekday(at, 3):
        return -1.0
    return _seconds(_number(at + 12, 4), _month(at + 8), _number(at + 5, 2), at + 17)


cdef double _parse_asctime(const char* at) noexcept:
    if not _has_shape(at, _ASCTIME, ASCTIME_SIZE) or not _is_weekday(at, 3):
        return -1.0
    return _seconds(_number(at + 20, 4), _month(at + 4), _number(at + 8, 2), at + 11)


cdef double _parse_rfc850(const char* at, Py_ssize_t size, double now) noexcept:
    cdef Py_ssize_t name_size = size - RFC850_TAIL_SIZE
    cdef const char* tail = at + name_size
    cdef double latest = _within(_within(now) + FIFTY_YEARS), seconds
    cdef int year
    if name_size <= 3 or not _is_weekday(at, name_size) or not _has_shape(tail, _RFC850_TAIL, RFC850_TAIL_SIZE):
        return -1.0
    # The latest year with these digits that is not more than 50 years ahead.
    year = civil_of(<long long> latest // 86400).year
    year -= (year - _number(tail + 9, 2)) % 100
    seconds = _seconds(year, _month(tail + 5), _number(tail + 2, 2), tail + 12)
    if seconds > latest:
        return _seconds(year - 100, _month(tail + 5), _number(tail + 2, 2), tail + 12)
    return seconds


cdef bint _has_shape(const char* at, const char* shape, Py_ssize_t size) noexcept:
    cdef Py_ssize_t i
    for i in range(size):
        if shape[i] == c"?" or (shape[i] == c"_" and at[i] == c" "):
            continue
        if shape[i] == c"0" or shape[i] == c"_":
            if not c"0" <= at[i] <= c"9":
                return False
        elif at[i] != shape[i] and (not c"A" <= shape[i] <= c"Z" or at[i] != shape[i] + 32):
            return False
    return True


cdef bint _is_weekday(const char* at, Py_ssize_t size) noexcept:
    """Three letters, or a whole name."""
    cdef int i
    for i in range(7):
        if (size == 3 or size == <Py_ssize_t> strlen(_WEEKDAYS[i])) and strncasecmp(at, _WEEKDAYS[i], size) == 0:
            return True
    return False


cdef int _month(const char* at) noexcept:
    """1 to 12, or 0."""
    cdef int i
    for i in range(12):
        if _letters(at) == _letters(_MONTHS + 3 * i):
            return i + 1
    return 0


cdef inline int _letters(const char* at) noexcept:
    """Three of them as one number, in any case: no other byte is a letter but for its case."""
    return (<unsigned char> at[0] | 32) << 16 | (<unsigned char> at[1] | 32) << 8 | (<unsigned char> at[2] | 32)


cdef int _number(const char* at, int width) noexcept:
    """Of digits, before which there may be a space."""
    cdef int i, value = 0
    for i in range(width):
        value = value * 10 + (at[i] & 15)
    return value


cdef double _seconds(int year, int month, int day, const char* clock) noexcept:
    """Of a date and "hh:mm:ss"; a leap second is the one before it. -1.0 when there is no such day or time."""
    cdef int hour = _number(clock, 2), minute = _number(clock + 3, 2), second = _number(clock + 6, 2)
    if month == 0 or not 1 <= day <= days_in_month(year, month) or hour > 23 or minute > 59 or second > 60:
        return -1.0
    if year < 1970:
        return 0.0
    return <double> (days_of(Civil(year, month, day)) * 86400 + hour * 3600 + minute * 60 + min(second, 59))


cdef bytes format_date(double seconds):
    """The IMF-fixdate of seconds since 1970, fractions cut off; what lies outside of the years 1970 to 9999 is their end."""
    cdef long long whole = <long long> _within(seconds)
    cdef long long days = whole // 86400, clock = whole % 86400
    cdef Civil date = civil_of(days)
    cdef bytes text = PyBytes_FromStringAndSize(_IMF_FIXDATE, IMF_FIXDATE_SIZE)
    cdef char* at = PyBytes_AS_STRING(text)
    memcpy(at, _WEEKDAYS[(days + 4) % 7], 3)    # 1970 began on a Thursday
    digits(at + 5, date.day, 2)
    memcpy(at + 8, _MONTHS + 3 * (date.month - 1), 3)
    digits(at + 12, date.year, 4)
    digits(at + 17, clock // 3600, 2)
    digits(at + 20, clock // 60 % 60, 2)
    digits(at + 23, clock % 60, 2)
    return text


cdef inline double _within(double seconds) noexcept:
    """Neither before 1970 nor beyond 9999; what is no number is 0."""
    return min(seconds, LAST_SECOND) if seconds > 0 else 0.0


def read_date(bytes text not None, double now):
    """`parse_date`, for tests and tools."""
    return parse_date(PyBytes_AS_STRING(text), len(text), now)


def write_date(double seconds):
    """`format_date`, for tests and tools."""
    return format_date(seconds)
