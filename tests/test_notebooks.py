"""Every notebook runs from top to bottom, shows its figures to all, and gets its numbers right."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import numpy as np
import pandas as pd
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from scipy import stats
from traitlets.config import Config

import hiermix as hm

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
LARGEST = 600_000
"""Bytes of one notebook with its figures."""


class Kernel(AsyncKernelManager):
    """The interpreter that runs the tests, whatever kernels are installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


@dataclass(frozen=True)
class Number:
    """A number that a notebook must find: expressions in its own variables."""

    found: str
    expected: float
    within: str


def exactly(found: str, expected: float, within: float) -> Number:
    return Number(found, expected, str(within))


def mean(draws: str, expected: float, *, sds: float) -> Number:
    """A posterior mean, within a part of its posterior sd: priors differ from the source's."""
    return Number(f"float(({draws}).mean())", expected, f"{sds} * float(({draws}).std())")


def drawn(draws: str, expected: float) -> Number:
    """A posterior mean known exactly, within five times its own Monte-Carlo error."""
    error = f"float(__import__('arviz_stats').mcse({draws}, method='mean'))"
    return Number(f"float(({draws}).mean())", expected, f"5 * {error}")


def true(statement: str) -> Number:
    return Number(f"float({statement})", 1.0, "0")


def b(fit: str, term: str) -> str:
    return f"{fit}.data.posterior['b'].sel(term={term!r}, drop=True)"


def any_size() -> list[Number]:
    # The truth that the notebook simulates; sds of levels that were drawn.
    return [
        mean("fit.data.posterior['Intercept']", 50, sds=4),
        mean(b("fit", "discount"), -2, sds=4),
        mean("fit.data.posterior['sigma']", 4, sds=4),
        exactly("float(fit.data.posterior['sd_shop'][..., 0].mean())", 5, 0.6),
        exactly("float(fit.data.posterior['sd_shop'][..., 1].mean())", 0.5, 0.06),
        exactly("inside", 0.9, 0.015),
        exactly("within", 0.95, 0.03),
        exactly("len(so_far)", 2_000_000, 0),
        true("same"),
    ]


def radon_means() -> dict[str, float]:
    """Posterior means of the radon model by quadrature over its two sds, apart from hiermix."""
    radon = hm.load_dataset("radon")
    y, names = radon["log_radon"].to_numpy(), ["log_uranium", "floor", "floor_mean"]
    X = radon[names].to_numpy()
    X = np.column_stack([np.ones(len(X)), X - X.mean(axis=0)])  # the intercept's prior is there
    Z = pd.get_dummies(radon["county"]).to_numpy(float)
    n, ZX, Zy = Z.sum(axis=0), Z.T @ X, Z.T @ y
    location = np.array([np.round(y.mean(), 3), 0, 0, 0])
    precision = np.diag([1 / (2.5 * y.std(ddof=1)) ** 2, 1, 1, 1])
    logs, means = [], []
    for sigma in np.linspace(0.66, 0.81, 26):
        for sd in np.linspace(1e-3, 0.4, 60):
            w = sd**2 / (sigma**2 + n * sd**2)
            A = (X.T @ X - ZX.T @ (w[:, None] * ZX)) / sigma**2 + precision
            c = (X.T @ y - ZX.T @ (w * Zy)) / sigma**2 + precision @ location
            at = np.linalg.solve(A, c)
            determinant = (len(y) - len(n)) * np.log(sigma**2) + np.log(sigma**2 + n * sd**2).sum()
            squares = (y @ y - Zy @ (w * Zy)) / sigma**2 - c @ at
            prior = -2 * np.log1p((sd / (2.5 * y.std(ddof=1))) ** 2 / 3) - sigma / y.std(ddof=1)
            logs.append(-0.5 * (determinant + squares + np.linalg.slogdet(A)[1]) + prior)
            means.append(at[1:])
    weights = np.exp(np.array(logs) - max(logs))
    return dict(zip(names, weights @ np.array(means) / weights.sum(), strict=True))


def radon() -> list[Number]:
    published = {"log_uranium": 0.687, "floor": -0.685, "floor_mean": 0.388}
    exact = radon_means()
    return [
        *(mean(b("fit", term), value, sds=0.15) for term, value in published.items()),
        *(drawn(b("fit", term), value) for term, value in exact.items()),
        exactly("twice.fe_params['Intercept']", 0.887, 0.0005),
        exactly("twice.fe_params['floor']", -0.689, 0.0005),
        # It never left its start, a variance equal to that of the residuals.
        exactly("twice.cov_re.iloc[0, 0] / twice.scale", 1, 1e-6),
        true("'Hessian' in complaint"),
        true("'in the model twice' in advice"),
        exactly("len(radon)", 919, 0),
        exactly("len(counties)", 85, 0),
        # lme4: log_radon ~ floor + (1 | county)
        mean(b("three.partial", "floor"), -0.663, sds=0.15),
        exactly("three.table.loc['no', 'floor']", -0.689, 0.01),
        true("three.table['elpd'].idxmax() == 'partial'"),
        true("three.table['rmse'].idxmin() == 'no'"),
    ]


def classrooms() -> list[Number]:
    sd = "posterior[{!r}].sel({{{!r}: {!r}}}, drop=True)"
    school = [sd.format("sd_groups", "groups_effect", each) for each in ("Intercept", "z2")]
    room = [
        sd.format("sd_groups:classroom", "groups:classroom_effect", each)
        for each in ("Intercept", "prior_test")
    ]
    return [
        # The truth of the simulation.
        *(mean(f"{draws} ** 2", value, sds=2) for draws, value in zip(room, (2, 5), strict=True)),
        *(mean(draws, 1, sds=2) for draws in (*school, "posterior['sigma']")),
        *(mean(b("fit", f"x{k}"), value, sds=2) for k, value in ((1, 0), (2, 1), (3, -2))),
        mean("posterior['cor_groups']", 0, sds=2),
        # lme4 (REML).
        *(
            mean(draws, value, sds=0.35)
            for draws, value in zip([*school, *room], (0.919, 1.020, 1.327, 2.297), strict=True)
        ),
        mean(b("fit", "x2"), 0.940, sds=0.15),
        mean(b("fit", "x3"), -1.957, sds=0.15),
        exactly("mixedlm.vcomp[0]", 1.760, 0.005),
        exactly("mixedlm.vcomp[1]", 5.274, 0.005),
        mean("crossed_fit.data.posterior['Intercept']", 22.972, sds=0.15),
        exactly("trick.vcomp[0] ** 0.5", 0.847, 0.002),
        exactly("trick.vcomp[1] ** 0.5", 1.932, 0.002),
        # rstanarm's and lme4's sleepstudy: no correlation from day 0 on, a clear one at day 5.
        true("abs(fits[0, '|'].data.posterior['cor_Subject'].mean()) < 0.2"),
        true("fits[5, '|'].data.posterior['cor_Subject'].mean() > 0.5"),
    ]


def rainfall() -> list[Number]:
    coefficients = "fit.data.posterior['r_state'].sel(state='CA', state_effect={!r}, drop=True)"
    level = f"{coefficients.format('Intercept')} + fit.data.posterior['Intercept']"
    slope = f"{coefficients.format('year_numeric')} + {b('fit', 'year_numeric')}"
    return [
        # The line of California, as published.
        mean(level, 19.97, sds=0.2),
        mean(slope, 1.084, sds=0.2),
        mean("posterior['sigma']", 5.14, sds=0.2),
        Number("row['plug_in_mean']", 19.97 + 16 * 1.084, "0.2 * float(mean.std())"),
        # lme4 (REML).
        mean("posterior['Intercept']", 18.819, sds=0.15),
        mean(b("fit", "year_numeric"), 1.154, sds=0.15),
        # The predictive has the variance of the line besides that of the noise.
        exactly("row['sd'] ** 2 / parts['total']", 1, 0.1),
        exactly("row['plug_in_sd'] / float(posterior['sigma'].mean())", 1, 1e-9),
        true("row['sd'] > 1.08 * row['plug_in_sd']"),
        true("answers['sample']['sd'].item() > 1.2 * answers['population']['sd'].item()"),
        true("test.table().index[0] == 'partial'"),
        true("test.table().loc['no', 'more'] > 2 * test.table().loc['no', 'se']"),
    ]


def seven_ways() -> list[Number]:
    ways = {
        "1 global fit": 0.2328, "2 ANCOVA": 0.1307, "3 aggregation": 6.0734,
        "4 fit per class": 0.1208, "5 random intercept": 0.1312, "6 full ANCOVA": 0.1291,
        "7 random slope": 0.1273,
    }  # fmt: skip
    # Published: roots of the residual mean squares; of the fit per class the sd of its slopes.
    rmse = dict(zip(ways, [2.6948, 0.9324, 0.5879, 0.0613, 0.9162, 0.9359, 0.9117], strict=True))
    cell = "table.loc[{!r}, {!r}]"
    return [
        *(exactly(cell.format(way, "RMSE"), value, 0.00011) for way, value in rmse.items()),
        # Sigma's posterior is skewed: its mean is half an sd above. Three rows leave it to a prior.
        *(
            Number(cell.format(way, "posterior RMSE"), rmse[way], f"0.06 * {rmse[way]}")
            for way in ways if way[0] in "12567"
        ),
        Number(cell.format("4 fit per class", "posterior RMSE"), rmse["4 fit per class"], "0.006"),
        *(exactly(cell.format(way, "edu"), value, 0.00006) for way, value in ways.items()),
        *(
            Number(cell.format(way, "posterior mean"), value,
                   "0.15 * " + cell.format(way, "posterior sd"))
            for way, value in ways.items()
        ),
        # lme4 (REML).
        exactly("table.loc['5 random intercept', 'se']", 0.03799, 0.0001),
        exactly("intercept.cov_re.iloc[0, 0]", 9.427, 0.005),
        exactly("intercept.scale", 0.869, 0.0005),
        exactly("D[0, 0]", 10.760, 0.02),
        exactly("D[0, 1]", -0.121, 0.001),
        exactly("D[1, 1]", 0.001, 0.0005),
        exactly("D[0, 1] / (D[0, 0] * D[1, 1]) ** 0.5", -1, 0.001),
        exactly("grid[profile.argmax()]", 0, 0),
    ]  # fmt: skip


def counts_proportions_ratings() -> list[Number]:
    period = {"period[T.2]": -0.998, "period[T.3]": -1.137, "period[T.4]": -1.611}
    # Maximum likelihood, the subjects' effects by Gauss-Hermite quadrature of 30 points.
    ratings = {"treat": -1.044, "period": 0.230, "carry": -0.242}
    return [
        # rstanarm.
        mean(b("poisson", "Trt[T.1]"), -0.268, sds=0.15),
        mean(b("poisson", "zBase"), 0.701, sds=0.15),
        mean("poisson.data.posterior['sd_patient']", 0.580, sds=0.15),
        *(mean(b("herds", term), value, sds=0.15) for term, value in period.items()),
        mean("herds.data.posterior['sd_herd']", 0.717, sds=0.35),
        *(mean(b("rated", term), value, sds=0.2) for term, value in ratings.items()),
        mean("rated.data.posterior['sd_subject']", 1.190, sds=0.35),
        mean("rated.data.posterior['threshold'][..., 0]", 0.697, sds=0.2),
        true("table.loc['poisson', 'elpd_diff'] < -2 * table.loc['poisson', 'dse']"),
        true("better > 0.9 and 0.5 < fewer < 0.65"),
        true("(unseen[2] - unseen[0] > 2 * (average[2] - average[0])).all()"),
    ]


def checking_a_model() -> list[Number]:
    return [
        # brms.
        mean(b("fit", "Days"), 10.421, sds=0.15),
        mean("fit.data.posterior['sigma']", 25.912, sds=0.15),
        mean("fit.data.posterior['sd_Subject'][..., 1]", 6.559, sds=0.15),
        mean(b("robust", "Days"), 10.421, sds=0.5),
        true("counts['as it comes'] <= 2 < counts['adapt_delta=0.4']"),
        true("list(another_night.index) == ['student_t', 'slopes', 'intercepts']"),
        true("somebody_else.index[0] == 'slopes'"),
        # By seeds the Pareto k of a row has an sd of 0.1; another subject's came 0.14 too far.
        true("'332' in set(sleep['Subject'][k > loo.good_k])"),
        true("set(sleep['Subject'][k > loo.good_k + 0.3]) <= {'308', '332'}"),
        true("all(np.abs(excess(found[name].to_numpy())).max() < widest for name in found)"),
        true("len(caught) > 0"),
    ]


def under_the_hood() -> list[Number]:
    return [
        exactly("by_sums", -876.178236845, 1e-8),  # scipy's multivariate normal, row by row
        exactly("by_rows", -876.178236845, 1e-8),
        mean(b("fit", "Days"), 10.421, sds=0.15),
        mean(b("sampled", "Days"), 10.421, sds=0.15),
        exactly("len(data['QtR'])", 6, 0),  # Q (1 + P)
        exactly("data['groups'].sum()", 18, 0),
        true(
            "rows['auto']['leapfrog steps a draw'] < rows['noncentered']['leapfrog steps a draw']"
        ),
        true("abs(stats.skew(t)) < abs(stats.skew(log_sd))"),
    ]


def truth_of_the_shop() -> dict[str, float]:
    """Differences in the share that buys which the simulation has, country by country."""
    rng = np.random.default_rng(11)
    level = -2.4 + 0.7 * rng.standard_normal(20)
    effect = 0.22 + 0.2 * rng.standard_normal(20)
    visitors = rng.lognormal(6.2, 1.0, 20).round()
    gains = np.zeros(20)
    for share, phone in ((0.4, 0.0), (0.6, 0.6)):
        new, old = (1 / (1 + np.exp(phone - level - k * effect)) for k in (1, 0))
        gains += share * (new - old)
    return {"these": float(gains @ visitors / visitors.sum()), "all": float(gains.mean())}


def comparing_groups() -> list[Number]:
    truth = truth_of_the_shop()
    post = "fit.data.posterior"
    # The population's average by 200,000 countries drawn from one draw of the spread.
    simulated = (
        "(lambda p, z: (lambda a, e: sum(0.5 * (1 / (1 + np.exp(-(a + e + d)))"
        " - 1 / (1 + np.exp(-(a + c)))).mean() for c, d in ((0.0, 0.0), (p['phone'], p['both']))))"
        "(p['a'] + p['sd'][0] * z[0],"
        " p['e'] + p['sd'][1] * (p['cor'] * z[0] + (1 - p['cor'] ** 2) ** 0.5 * z[1])))"
        "({'a': float(" + post + "['Intercept'][0, 0]),"
        " 'e': float(" + post + "['b'][0, 0].sel(term='arm[T.new]')),"
        " 'phone': float(" + post + "['b'][0, 0].sel(term='device[T.phone]')),"
        " 'both': float(" + post + "['b'][0, 0].sel(term=['device[T.phone]',"
        " 'arm[T.new]:device[T.phone]']).sum()),"
        " 'sd': " + post + "['sd_country'][0, 0].to_numpy(),"
        " 'cor': float(" + post + "['cor_country'][0, 0, 0])},"
        " np.random.default_rng(1).standard_normal((2, 200_000)))"
    )
    balanced = "fit.comparisons('arm', newdata='balanced', by=True, over='population').draws"
    return [
        mean(b("fit", "arm[T.new]"), 0.22, sds=2),
        mean(f"{post}['sd_country'][..., 0]", 0.7, sds=2),
        mean(f"{post}['sd_country'][..., 1]", 0.2, sds=2),
        mean("answers['these groups'].draws", truth["these"], sds=2),
        mean("answers['population'].draws", truth["all"], sds=2),
        Number(f"float({balanced}[0, 0, 0]) - {simulated}", 0.0, "3e-4"),
        true("answers['population'].draws.mean() > answers['typical group'].draws.mean()"),
        true("answers['new group'].draws.std() > 2 * answers['population'].draws.std()"),
        true("off['model'] < 0.5 * off['raw']"),
        true("np.ptp(found) < 0.7 * np.ptp(raw)"),
        true("ranks.table()['country'].iloc[0] == 'Kenya'"),
        true("ranks.table()['probability'].iloc[0] > 0.95"),
        true("(raw < 0).sum() == 8"),
    ]


def panel_forecast() -> list[Number]:
    return [
        # The truth of the simulation.
        Number("float(fit['promo'].mean())", 30, "2 * float(fit['promo'].std()) + 8 / 12 ** 0.5"),
        mean(b("fit", "event[T.black friday]"), 55, sds=3),
        mean(b("fit", "event[T.christmas]"), 35, sds=3),
        mean("fit['sigma']", 10, sds=3),
        # Totals are sums of the parts' draws, and as wide as these say.
        exactly("chain['mean'] / parts['mean'].sum()", 1, 1e-12),
        true("2 * (chain['q97.5'] - chain['q2.5']) < wrong"),
        true("0.85 < together['in_95'] <= 1 and together['mase'] < 0.6"),
        true("back.table().loc['partial', 'crps'] < 0.7 * back.table().loc['complete', 'crps']"),
        true("back.table().loc['partial', 'crps'] < 0.6 * back.table().loc['naive', 'crps']"),
        true("back.table().loc['partial', 'crps'] < 0.6 * back.table().loc['seasonal', 'crps']"),
        true("len(thirteenth.rows) == 13"),
    ]


def eight_schools() -> dict[str, float]:
    """Posterior means of center, spread and school A over a grid of both, apart from hiermix."""
    y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    se = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    mu, tau = np.meshgrid(np.linspace(-60, 80, 561), (np.arange(600) + 0.5) / 10, indexing="ij")
    log = stats.norm.logpdf(mu, 0, 20) + stats.norm.logpdf(tau, 0, 10)
    for each, error in zip(y, se, strict=True):
        log += stats.norm.logpdf(each, mu, np.hypot(tau, error))
    weights = np.exp(log - log.max()) / np.exp(log - log.max()).sum()
    shrunk = (y[0] / se[0] ** 2 + mu / tau**2) / (1 / se[0] ** 2 + 1 / tau**2)
    found = {"Intercept": mu, "sd_school[Intercept]": tau, "school[A, Intercept]": shrunk}
    return {name: float((weights * values).sum()) for name, values in found.items()}


def meta_analysis() -> list[Number]:
    exact = eight_schools()
    return [
        *(drawn(f"fit[{name!r}]", value) for name, value in exact.items()),
        *(exactly(f"by_hand[{ours!r}]", exact[name], 0.02) for ours, name in (
            ("Intercept", "Intercept"), ("sd", "sd_school[Intercept]"),
            ("school A", "school[A, Intercept]"),
        )),
        true("np.ptp(forest.loc['next school', ['low', 'high']])"
             " > 1.3 * np.ptp(forest.loc['pooled', ['low', 'high']])"),
        # Bayesian Data Analysis, section 5.5, with a flat prior: school A about 10, the best in
        # less than a third.
        true("0.15 < best['A'] < 0.33"),
        true("rows['normal(0, 5)']['school A'] < rows['normal(0, 20)']['school A']"),
    ]  # fmt: skip


NUMBERS = {
    "01-radon": radon,
    "02-classrooms": classrooms,
    "03-rainfall": rainfall,
    "04-seven-ways": seven_ways,
    "05-counts-proportions-ratings": counts_proportions_ratings,
    "06-checking-a-model": checking_a_model,
    "07-under-the-hood": under_the_hood,
    "08-any-size": any_size,
    "09-comparing-groups": comparing_groups,
    "10-panel-forecast": panel_forecast,
    "11-meta-analysis": meta_analysis,
}


def run(path: Path, numbers: list[Number]) -> list[tuple[float, float]]:
    """Execute a notebook, then one cell more; return each number found and its tolerance."""
    notebook = nbformat.read(path, as_version=4)
    pairs = ", ".join(f"[float({each.found}), float({each.within})]" for each in numbers)
    notebook.cells.append(
        nbformat.v4.new_code_cell(f"import json as _json\nprint(_json.dumps([{pairs}]))")
    )
    with TemporaryDirectory() as folder:  # sockets need short paths: not tmp_path
        sockets = Config({"Kernel": {"transport": "ipc", "ip": f"{folder}/kernel"}})
        NotebookClient(
            notebook, kernel_manager_class=Kernel, config=sockets, timeout=300,
            resources={"metadata": {"path": folder}},
        ).execute()  # fmt: skip
    printed = [each for each in notebook.cells[-1].outputs if each.get("name") == "stdout"]
    return [(found, within) for found, within in json.loads(printed[0]["text"])]


QUICK = ("03-rainfall",)
"""Run in the quick suite too."""


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=() if path.stem in QUICK else pytest.mark.slow)
        for path in NOTEBOOKS
    ],
)
def test_runs_and_finds_its_numbers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIERMIX_ENGINE", "embedded")
    monkeypatch.setenv("TQDM_DISABLE", "1")
    numbers = NUMBERS[path.stem]() if path.stem in NUMBERS else []
    wrong = [
        f"{number.found}: {found:.5g}, not {number.expected:.5g} within {within:.2g}"
        for number, (found, within) in zip(numbers, run(path, numbers), strict=True)
        if not abs(found - number.expected) <= within
    ]
    assert not wrong, "\n".join(wrong)


def test_numbers_belong_to_notebooks() -> None:
    assert set(NUMBERS) <= {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_small_whole_and_shown_as_run(path: Path) -> None:
    assert path.stat().st_size < LARGEST
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [each for cell in code for each in cell.outputs if each.output_type == "error"]
    assert notebook.cells[0].source.startswith("# ")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_figures_are_described(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                of_output = output.metadata.get("image/png", {}).get("alt", "")
                assert len(cell.metadata.get("alt", of_output)) > 40, cell.source
