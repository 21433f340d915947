"""A response of several columns, the counts of categories: ``c(a, b, c) ~ x``."""

from collections.abc import Sequence

from hiermix.formula import foreign_syntax
from hiermix.formula.calls import is_call
from hiermix.formula.names import quoted
from hiermix.formula.tokens import Reader, column_of

WORDS = ("c", "cbind", "bind")
"""bambi's name, and those of R and brms."""


def read(reader: Reader) -> tuple[str, ...]:
    """Read the columns of a call on the left side; none where another response stands there."""
    name = reader.token
    if name.text not in WORDS or not is_call(reader):
        return ()
    start, end = reader.place + 2, reader.closing(reader.place + 1)
    inside = reader.tokens[start:end]
    names, commas = inside[::2], inside[1::2]
    plain = all(each.kind in ("name", "quoted") for each in names) and len(names) > len(commas)
    if not (plain and len(names) > 1 and all(each.text == "," for each in commas)):
        if name.text in foreign_syntax.SUCCESSES:
            return ()  # which is answered as other tools' ways to write successes are
        reader.fail(
            f"{name.text}() on the left takes the columns that hold the counts of categories, two "
            "or more: c(a, b, c)", name,
        )  # fmt: skip
    columns = tuple(column_of(reader, each) for each in names)
    for place, each in enumerate(columns):
        if each in columns[:place]:
            reader.fail(f"{name.text}() has the column {each!r} twice", names[place])
    reader.place = end + 1
    return columns


def written(columns: Sequence[str]) -> str:
    """Return the canonical text of such a response."""
    return f"c({', '.join(map(quoted, columns))})"
