"""Takes the arguments of a special call one by one, with a caret under what is wrong."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, NoReturn

from hiermix.errors import did_you_mean
from hiermix.formula.names import quoted
from hiermix.formula.tokens import Reader, Token, column_of


class _Argument(NamedTuple):
    """One argument as it was written."""

    name: Token | None
    """None where it has a place alone."""
    value: tuple[Token, ...]


class Call:
    """The arguments of one call, at the current place of a reader, which goes on behind it.

    Parameters
    ----------
    reader
        It stands at the function's name.
    usage
        How it is written, for errors: ``"s(x, k=10, by=f)"``.
    """

    def __init__(self, reader: Reader, usage: str) -> None:
        self._reader = reader
        self.function = reader.next()
        self._usage = usage
        start, end = reader.place + 1, reader.closing()
        self._end = reader.tokens[end]
        self._places: list[_Argument] = []
        self._named: dict[str, _Argument] = {}
        for each in self._arguments(reader.tokens[start:end]):
            self._add(each)
        reader.place = end + 1

    def column(self, name: str) -> str:
        """Take the next argument by place, or the one of this name: a column."""
        found = self.optional_column(name)
        if found is None:
            self.fail(f"{self.function.text}() needs {name}", self._end)
        return found

    def optional_column(self, name: str, *, by_place: bool = True) -> str | None:
        """Take a column that may be left out."""
        found = self._take(name, by_place=by_place)
        return None if found is None else self._column(found.value, name)

    def columns(self) -> tuple[str, ...]:
        """Take all arguments that have a place alone: columns."""
        found = tuple(self._column(each.value, "each argument") for each in self._places)
        self._places = []
        return found

    def several(self, name: str, function: str) -> tuple[str, ...]:
        """Take a column, or several in a call of this function, by name; none if left out."""
        found = self._take(name, by_place=False)
        if found is None:
            return ()
        first, *rest = found.value
        if first.text != function or not rest:
            return (self._column(found.value, name),)
        inside = list(self._arguments(rest[1:-1]))
        return tuple(self._column(each.value, name) for each in inside)

    def whole(self, name: str, default: int, least: int) -> int:
        """Take a whole number by name."""
        value = self._literal(name, default)
        if type(value) is not int or value < least:
            self._refuse(name, f"a whole number from {least} up")
        return value

    def number(self, name: str, default: float, above: float) -> float:
        """Take a number by name."""
        value = self._literal(name, default)
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if not real or not above < float(value) < 1e300:  # type: ignore[arg-type]
            self._refuse(name, f"a number above {above:g}")
        return float(value)  # type: ignore[arg-type]

    def optional_number(self, name: str) -> float | None:
        """Take a number by name that may be left out."""
        return None if name not in self._named else self.number(name, 0.0, -1e300)

    def truth(self, name: str, *, default: bool) -> bool:
        """Take True or False by name."""
        value = self._literal(name, default)
        if not isinstance(value, bool):
            self._refuse(name, "True or False")
        return value

    def word(self, name: str, default: str, known: Iterable[str]) -> str:
        """Take one of some texts by name."""
        value, known = self._literal(name, default), list(known)
        if value not in known:
            self._refuse(name, f"one of {', '.join(map(repr, known))}")
        return str(value)

    def words(self, name: str) -> str | None:
        """Take a text by name; None if left out."""
        value = self._literal(name, None)
        if value is not None and (not isinstance(value, str) or not value):
            self._refuse(name, 'a text, such as "A"')
        return value

    def done(self) -> None:
        """Raise for what nobody took."""
        for each in [*self._places, *self._named.values()]:
            at = each.name or each.value[0]
            near = did_you_mean(each.name.text, self._known) if each.name else ""
            what = repr(each.name.text) if each.name else "this"
            self.fail(f"{self.function.text}() has no place for {what}.{near}", at)

    def fail(self, message: str, token: Token | None = None) -> NoReturn:
        """Raise with the way it is written, and a caret under a token: the name's by default."""
        at = token or self.function
        self._reader.fail(f"{message.removesuffix('.')}. It is {self._usage}", at)

    @property
    def _known(self) -> list[str]:
        """Names of arguments that the usage tells of."""
        inside = self._usage.partition("(")[2]
        return [part.partition("=")[0].strip(" )") for part in inside.split(",")]

    def _arguments(self, tokens: list[Token] | tuple[Token, ...]) -> Iterator[_Argument]:
        """Yield what stands between commas that are in no bracket of their own."""
        part: list[Token] = []
        depth = 0
        for token in [*tokens, Token("operator", ",", self._end.start)] if tokens else []:
            depth += (token.text in ("(", "{")) - (token.text in (")", "}"))
            if token.text != "," or depth:
                part.append(token)
                continue
            if not part:
                self.fail("an argument is missing", token)
            yield self._argument(part)
            part = []

    def _argument(self, part: list[Token]) -> _Argument:
        if len(part) < 2 or part[1].text != "=":
            return _Argument(None, tuple(part))
        if part[0].kind != "name" or len(part) == 2:
            self.fail("an argument is written name=value", part[0])
        return _Argument(part[0], tuple(part[2:]))

    def _add(self, each: _Argument) -> None:
        if each.name is None and self._named:
            self.fail("arguments without a name come first", each.value[0])
        if each.name is None:
            self._places.append(each)
            return
        if each.name.text in self._named:
            self.fail(f"{self.function.text}() has its {each.name.text} twice", each.name)
        self._named[each.name.text] = each

    def _take(self, name: str, *, by_place: bool) -> _Argument | None:
        self._taken = self._named.pop(name, None)
        if self._taken is None and by_place and self._places:
            self._taken = self._places.pop(0)
        return self._taken

    def _column(self, value: tuple[Token, ...], name: str) -> str:
        first = value[0]
        if len(value) > 1 or first.kind not in ("name", "quoted"):
            self.fail(f"{self.function.text}(): {name} is the name of a column", first)
        return column_of(self._reader, first)

    def _literal(self, name: str, default: object) -> object:
        found = self._take(name, by_place=False)
        if found is None:
            return default
        try:
            return ast.literal_eval(" ".join(token.text for token in found.value))
        except (ValueError, SyntaxError):
            return _UNREAD

    def _refuse(self, name: str, words: str) -> NoReturn:
        assert self._taken is not None, "defaults are right"
        value = self._taken.value
        shown = " ".join(token.text for token in value)
        self.fail(f"{self.function.text}(): {name} is {words}, not {shown}", value[0])


_UNREAD = object()


def text(function: str, columns: Iterable[str], options: Mapping[str, object]) -> str:
    """Write a call in the canonical way; options that are None are left out.

    Values of options are written as Python writes them, `Written` ones as they are.
    """
    parts = [quoted(each) for each in columns]
    parts += [f"{name}={value!r}" for name, value in options.items() if value is not None]
    return f"{function}({', '.join(parts)})"


class Written(str):
    """An option of `text` that stands there as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def column(name: str | None) -> Written | None:
    """Write a column among the options of `text`."""
    return None if name is None else Written(quoted(name))
