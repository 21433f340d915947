"""What notebooks show of a model, a fit, a forecast: a table and a small picture, as plain HTML.

Nothing has a background or a colour of its own but what is drawn, so that it reads in light and
dark notebooks alike; pictures are SVG of a few hundred bytes.
"""

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiermix.errors import count, ignored_warnings
from hiermix.posterior import diagnostics, summary
from hiermix.typing import FloatArray

if TYPE_CHECKING:
    import xarray as xr

    from hiermix.design.design import Design

_BLUE = "#3b8fd0"  # reads on white and on black
_LINE = "rgba(128,128,128,0.35)"
_PLAIN = "border:none;background:transparent;color:inherit"
_CELL = f"padding:2px 8px;white-space:nowrap;{_PLAIN};text-align:"
_MOST = 40
"""Rows of a table."""
_SERIES = 8
_BINS = 24


def model(design: "Design", heading: str, text: str) -> str:
    """Show formula, family, groups and priors, and how the response is spread."""
    lines = text.splitlines()
    at = lines.index("priors")
    facts = [line.split(None, 1) for line in lines[1:at] if not line.startswith(" ")]
    rows = [[escape(what), escape(said)] for what, said in facts]
    for line in lines[at + 1 :]:
        name, _, prior = line.strip().partition(" ~ ")
        rows.append([f"<code>{escape(name.strip())}</code>", escape(prior)])
    values = design.observed
    picture = "" if values is None or design.parts else _histogram(values, design.response_name)
    return _page(heading, _table(["", ""], rows, left=2), picture)


def fit(design: "Design", tree: "xr.DataTree") -> str:
    """Show the summary with its intervals drawn, and what is doubtful."""
    attrs = tree.attrs
    with ignored_warnings():
        frame = summary.table(tree, summary.names(tree["posterior"].to_dataset()), 0.95)
    some = frame.head(_MOST)
    rows = [
        [f"<code>{escape(str(name))}</code>", *map(_number, numbers[:3]),
         _interval(*numbers[:3]), *map(_number, numbers[3:])]
        for name, numbers in zip(some.index, some[["mean", "q2.5", "q97.5", "sd", "ess_bulk",
                                                   "r_hat"]].to_numpy(), strict=True)
    ]  # fmt: skip
    seconds = sum(json.loads(attrs["seconds"]).values())
    under = (
        f"{attrs['family']}; {attrs['chains']} chains of {attrs['draws']} draws, "
        f"{attrs['engine_version']}, {seconds:.1f} s"
    )
    heads = ["", "mean", "2.5 %", "97.5 %", "", "sd", "ESS", "R-hat"]
    more = "" if len(frame) <= _MOST else f"<p>and {len(frame) - _MOST:,} more: summary()</p>"
    doubts = "".join(f"<p>⚠ {escape(text)}</p>" for text in diagnostics.of_fit(tree).values())
    return _page(design.formula.text, _table(heads, rows, left=1), more + doubts, under=under)


def forecast(table: pd.DataFrame, observed: pd.DataFrame, value: str, said: str) -> str:
    """Show each series with its forecast drawn, and the next and the last time in numbers."""
    rows = []
    for name in list(dict.fromkeys(table["series"]))[:_SERIES]:
        mine, before = table[table["series"] == name], observed[observed["series"] == name]
        past = before.sort_values("time")[value].to_numpy(dtype=np.float64)[-30:]
        first, last = mine.iloc[0], mine.iloc[-1]
        rows.append([escape(str(name)), _fan(past, mine), *map(_span, (first, last))])
    left_out = int(table["series"].nunique()) - len(rows)
    more = "" if left_out <= 0 else f"<p>and {count(left_out, 'more series')[:-1]}: plot()</p>"
    heads = ["", "", "next, 80 %", "last, 80 %"]
    return _page(said, _table(heads, rows, left=2), more)


def scores(said: str, frame: pd.DataFrame) -> str:
    """Show a table of numbers."""
    names = [" ".join(map(str, each)) if isinstance(each, tuple) else str(each)
             for each in frame.index[:_MOST]]  # fmt: skip
    rows = [[escape(name), *map(_number, numbers)]
            for name, numbers in zip(names, frame.to_numpy(), strict=False)]  # fmt: skip
    return _page(said, _table(["", *map(str, frame)], rows, left=1))


def sentences(heading: str, texts: Sequence[str], frame: pd.DataFrame) -> str:
    """Show sentences, and below them, folded, a table of numbers."""
    said = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return _page(heading, f"<ul>{said}</ul>", f"<details>{scores('', frame)}</details>")


def _page(heading: str, *parts: str, under: str = "") -> str:
    small = f'<div style="opacity:0.7;font-size:90%">{escape(under)}</div>' if under else ""
    return f"<div><div><b>{escape(heading)}</b></div>{small}{''.join(parts)}</div>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    """Return a table whose first columns are text."""
    sides = [_CELL + ("left" if place < left else "right") for place in range(len(heads))]

    def line(cells: Sequence[str], tag: str) -> str:
        inside = "".join(f'<{tag} style="{side}">{cell}</{tag}>'
                         for side, cell in zip(sides, cells, strict=True))  # fmt: skip
        return f'<tr style="border-bottom:1px solid {_LINE};background:transparent">{inside}</tr>'

    head = line(heads, "th") if any(heads) else ""
    return (
        f'<table style="border-collapse:collapse;border:none;color:inherit">{head}'
        f"{''.join(line(cells, 'td') for cells in rows)}</table>"
    )


def _number(value: Any) -> str:
    if isinstance(value, float | np.floating):
        number = float(value)
        return "" if np.isnan(number) else f"{number:{',.0f' if abs(number) >= 1000 else '.3g'}}"
    return escape(str(value))


def _span(row: pd.Series) -> str:
    return f"{_number(row['median'])} ({_number(row['q10'])} to {_number(row['q90'])})"


def _svg(width: int, height: int, inside: str, said: str) -> str:
    return (
        f'<svg width="{width}" height="{height}" role="img" style="vertical-align:middle">'
        f"<title>{escape(said)}</title>{inside}</svg>"
    )


def _interval(mean: float, low: float, high: float) -> str:
    """Draw an interval, and where zero is."""
    ends = np.array([min(low, 0.0), max(high, 0.0)])
    if not np.isfinite(ends).all() or ends[1] <= ends[0]:
        return ""
    zero, left, right, at = (4 + 112 * (each - ends[0]) / (ends[1] - ends[0])
                             for each in (0.0, low, high, mean))  # fmt: skip
    inside = (
        f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="1" y2="13" stroke="gray"/>'
        f'<line x1="{left:.1f}" x2="{right:.1f}" y1="7" y2="7" stroke="{_BLUE}" stroke-width="2"/>'
        f'<circle cx="{at:.1f}" cy="7" r="3" fill="{_BLUE}"/>'
    )
    return _svg(120, 14, inside, f"{mean:.3g}, {low:.3g} to {high:.3g}; the line is zero")


def _histogram(values: FloatArray, name: str) -> str:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return ""
    heights, edges = np.histogram(finite, bins=_BINS)
    sizes = 34 * heights / heights.max()
    bars = "".join(
        f'<rect x="{8 * place}" y="{36 - size:.1f}" width="7" height="{size:.1f}" fill="{_BLUE}"/>'
        for place, size in enumerate(sizes)
    )
    said = f"{name}: {edges[0]:.3g} to {edges[-1]:.3g}"
    picture = _svg(8 * _BINS, 37, bars, f"Histogram of {said}")
    return f'<div>{picture}<br><span style="opacity:0.7;font-size:90%">{escape(said)}</span></div>'


def _fan(past: FloatArray, later: pd.DataFrame) -> str:
    """Draw what was observed, and median and 80 % interval of what is to come."""
    low, middle, high = (
        later[name].to_numpy(dtype=np.float64) for name in ("q10", "median", "q90")
    )
    every = np.concatenate([past, low, high])
    every = every[np.isfinite(every)]
    if not len(every):
        return ""
    steps, span = len(past) + len(low), max(float(np.ptp(every)), 1e-300)

    def points(values: FloatArray, first: int) -> str:
        return " ".join(
            f"{2 + 156 * (first + place) / max(steps - 1, 1):.1f},"
            f"{30 - 28 * (value - every.min()) / span:.1f}"
            for place, value in enumerate(values) if np.isfinite(value)
        )  # fmt: skip

    n = len(past)
    wide = f"{points(low, n)} {' '.join(points(high, n).split()[::-1])}"
    inside = (
        f'<polyline points="{points(past, 0)}" fill="none" stroke="gray"/>'
        f'<polygon points="{wide}" fill="{_BLUE}" fill-opacity="0.35"/>'
        f'<polyline points="{points(middle, n)}" fill="none" stroke="{_BLUE}" stroke-width="1.5"/>'
    )
    return _svg(160, 32, inside, "what was observed, and median and 80 % interval ahead")
