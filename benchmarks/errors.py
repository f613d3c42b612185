"""What can go wrong in a benchmark. Nothing that was measured wrongly may end as a number: it ends here."""


class BenchmarkError(Exception):
    """A measurement that cannot be trusted, or a server that cannot be measured. The text says which and why."""
