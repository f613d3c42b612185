"""Moments of the tests' wall clock, and how they are written in a field."""

from email.utils import formatdate

NOW = 1_800_000_000.0


def date(offset_s=0.0):
    """The HTTP-date so many seconds after NOW."""
    return formatdate(NOW + offset_s, usegmt=True)
