"""Redirect tables out of CSV, JSON or rows in a policy: reads all of it, and reports all that is wrong at once.

Never opens a file: the bytes and their name come in.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

import orjson

from fastedge._core.redirectrows import RedirectBuilder
from fastedge._core.redirecttable import RedirectTable
from fastedge.errors import ConfigError

if TYPE_CHECKING:
    import _csv

COLUMNS = ("source", "target", "status", "query")
Row = Sequence[object] | Mapping[str, object]


def load_table(name: str, data: bytes) -> RedirectTable:
    """The table in a file's bytes: JSON (a list of objects) if the name ends in `.json`, CSV with a header row if not.

    Columns: source, target, and optionally status (301 if empty) and query (keep if empty). ConfigError lists what is
    wrong, a line for each problem with file, line and column.
    """
    return _read_json(name, data) if name.lower().endswith(".json") else _read_csv(name, data)


def table_of(rows: Iterable[Row], name: str = "rows") -> RedirectTable:
    """The table of rows given as `(source, target[, status[, query]])` or as mappings of these names."""
    builder = RedirectBuilder("row")
    return _built(name, builder, lambda: _add_rows(builder, rows))


def _read_csv(name: str, data: bytes) -> RedirectTable:
    builder = RedirectBuilder("line")
    reader = csv.reader(_lines(_text(name, data)), strict=True, skipinitialspace=True)
    try:
        header = [cell.strip() for cell in next(filter(None, reader), [])]
        _check_header(name, reader.line_num, header)
        return _built(name, builder, lambda: _add_cells(builder, reader, header))
    except csv.Error as error:
        raise ConfigError(f"{name}, line {reader.line_num}: is not CSV: {error}") from None


def _lines(text: str) -> Iterable[str]:
    """The lines of a CSV file; a comment becomes an empty line rather than none, since csv counts them itself."""
    lines = io.StringIO(text, newline="")
    if not text.startswith("#") and "\n#" not in text and "\r#" not in text:
        return lines
    return ("\n" if line.startswith("#") else line for line in lines)


def _add_cells(builder: RedirectBuilder, reader: "_csv.Reader", header: list[str]) -> None:
    width = len(header)
    # A column that the file leaves out is the empty cell that each row gets at its end.
    pick = itemgetter(*(header.index(column) if column in header else width for column in COLUMNS))
    for row in reader:
        if len(row) > width:
            builder.problem(reader.line_num, "row", f"has {len(row)} cells, the header has {width}")
        elif row:
            row.extend([""] * (width + 1 - len(row)))
            builder.add(reader.line_num, *pick(row))


def _check_header(name: str, line: int, header: list[str]) -> None:
    expected = "expected source,target and optionally status and query as the first row"
    if not header:
        raise ConfigError(f"{name}: is empty; {expected}")
    for column in header:
        if column not in COLUMNS or header.count(column) > 1:
            fault = "is no column" if column not in COLUMNS else "is there twice"
            raise ConfigError(f"{name}, line {line}: {column[:80]!r} {fault}; {expected}")
    for column in COLUMNS[:2]:
        if column not in header:
            raise ConfigError(f"{name}, line {line}: there is no column {column!r}; {expected}")


def _read_json(name: str, data: bytes) -> RedirectTable:
    try:
        rows = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{name}, line {error.lineno}, column {error.colno}: is not JSON: {error.msg}") from None
    if not isinstance(rows, list):
        raise ConfigError(f"{name}: expected a list of objects with source and target")
    builder = RedirectBuilder("row")
    return _built(name, builder, lambda: _add_rows(builder, rows))


def _add_rows(builder: RedirectBuilder, rows: Iterable[object]) -> None:
    for number, row in enumerate(rows, 1):
        if isinstance(row, Mapping):
            unknown = [key for key in row if key not in COLUMNS]
            missing = [column for column in COLUMNS[:2] if column not in row]
            if unknown or missing:
                fault = f"{unknown[0]!r} is no column" if unknown else f"there is no {missing[0]!r}"
                builder.problem(number, "row", f"{fault}; expected source, target and optionally status and query")
            else:
                builder.add(number, row["source"], row["target"], row.get("status", ""), row.get("query", ""))
        elif isinstance(row, Sequence) and not isinstance(row, str) and 2 <= len(row) <= 4:
            builder.add(number, *row)
        else:
            builder.problem(number, "row", "expected source, target and optionally status and query")


def _built(name: str, builder: RedirectBuilder, fill: Callable[[], None]) -> RedirectTable:
    """Fill and finish, or raise with every problem that was found."""
    try:
        fill()
        table = builder.finish()
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
    if builder.problem_count:
        told = [f"{name}, {builder.unit} {line}, {column}: {text}" for line, column, text in sorted(builder.problems)]
        if builder.problem_count > len(told):
            told.append(f"{name}: and {builder.problem_count - len(told)} more")
        raise ConfigError("\n".join(told))
    return table


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}, line {line}: is not UTF-8") from None
