"""Statistics of a Spark frame, where Spark and a Java are there: executors sum their partitions."""

import shutil
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hiermix as hm
from tests.same_sums import assert_same

pyspark = pytest.importorskip("pyspark.sql")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of Spark and its Java
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs a Java"),
]


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYSPARK_PYTHON", sys.executable)  # executors need what is installed here
        yield from session()


def session() -> Iterator[Any]:
    session = (
        pyspark.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.mark.parametrize("formula", ["y ~ x + (1 + x | g)", "y ~ word + scale(x) + (1 | g)"])
def test_a_spark_frame_has_the_statistics_of_the_pandas_frame(formula: str, spark: Any) -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=900), "g": rng.integers(0, 9, 900)})
    data["word"] = rng.choice(["a", "b"], 900)
    data["y"] = data["x"] + data["g"] + rng.normal(size=900)
    found = hm.statistics(formula, spark.createDataFrame(data).repartition(4))
    expected = hm.statistics(formula, data, like=found)
    assert isinstance(found, hm.Statistics)
    assert isinstance(expected, hm.Statistics)
    assert_same(found, expected)
