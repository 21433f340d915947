"""Small data sets of the field, as data frames: sources and licences in ``data/README.md``."""

from pathlib import Path

import pandas as pd

from hiermix.errors import ArgumentError, did_you_mean

_FOLDER = Path(__file__).parent / "data"

_LABELS: dict[str, tuple[str, ...]] = {
    "cbpp": ("herd",),
    "classrooms": (),
    "epilepsy": ("patient", "obs"),
    "inhaler": (),
    "insteval": ("s", "d", "dept"),
    "orthodont": (),
    "pastes": (),
    "penicillin": (),
    "radon": (),
    "rainfall": (),
    "scores": (),
    "sleepstudy": ("Subject",),
}
"""Data set -> columns whose digits are labels of groups, not numbers."""

_FACTORS: dict[str, tuple[str, ...]] = {
    "cbpp": ("period",),
    "epilepsy": ("Trt", "visit"),
    "insteval": ("studage", "lectage", "service"),
}
"""Data set -> columns whose digits are the levels of a predictor."""


def load_dataset(name: str) -> pd.DataFrame:
    """Return a data set that comes with hiermix.

    Parameters
    ----------
    name : str
        One of ``cbpp``, ``classrooms``, ``epilepsy``, ``inhaler``, ``insteval``, ``orthodont``,
        ``pastes``, ``penicillin``, ``radon``, ``rainfall``, ``scores``, ``sleepstudy``.

    Returns
    -------
    pandas.DataFrame
        A fresh frame each time. Labels such as patients and herds are text; coded predictors such
        as the period of cbpp are categories.
    """
    if name not in _LABELS:
        known = ", ".join(_LABELS)
        raise ArgumentError(
            f"there is no data set {name!r}.{did_you_mean(str(name), _LABELS)} Known: {known}."
        )
    path = next(_FOLDER.glob(f"{name}.csv*"))
    texts = dict.fromkeys((*_LABELS[name], *_FACTORS.get(name, ())), str)
    frame = pd.read_csv(path, dtype=texts)
    return frame.astype(dict.fromkeys(_FACTORS.get(name, ()), "category"))
