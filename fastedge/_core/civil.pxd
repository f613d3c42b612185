"""The Gregorian calendar over days since 1970, from year 0 on. Inlined where it is used.

Years are counted from March, so that the leap day is the last of its year.
"""

cdef enum:
    MARCH_0000 = -719468    # in days since 1970


cdef struct Civil:
    int year
    int month
    int day


cdef inline long long days_of(Civil date) noexcept nogil:
    cdef long long year = date.year - (1 if date.month <= 2 else 0)
    cdef long long month = (date.month + 9) % 12
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + date.day - 1 + MARCH_0000


cdef inline Civil civil_of(long long days) noexcept nogil:
    cdef long long era = (days - MARCH_0000) // 146097, day = (days - MARCH_0000) % 146097
    cdef long long year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    cdef long long month
    cdef Civil date
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    date.day = <int> (day - (153 * month + 2) // 5 + 1)
    date.month = <int> (month + 3 if month < 10 else month - 9)
    date.year = <int> (era * 400 + year + (1 if date.month <= 2 else 0))
    return date


cdef inline int days_in_month(int year, int month) noexcept nogil:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28
    return 30 + ((month + month // 8) & 1)
