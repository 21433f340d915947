"""What the chains say of themselves: the sentences that a fit ends with, and their numbers."""

from typing import TYPE_CHECKING

from hiermix.checking.findings import Finding
from hiermix.posterior import diagnostics
from hiermix.posterior.diagnostics import ENOUGH, Chains

if TYPE_CHECKING:
    import xarray as xr

PART = "convergence"
_R_HAT = 1.01


def findings(tree: "xr.DataTree") -> list[Finding]:
    """Return the worst R-hat, the fewest effective draws, and every doubt and remark."""
    rows = [*_numbers(Chains(tree))]
    doubts = diagnostics.of_sampling(tree, ENOUGH).items()
    remarks = [] if tree.attrs["prior_only"] else diagnostics.of_answers(tree)
    rows += [Finding(PART, about, "doubt", 1.0, 0.0, True, text) for about, text in doubts]
    rows += [Finding(PART, "what the data leave open", "remark", 1.0, text=text)
             for text in remarks]  # fmt: skip
    return rows


def _numbers(chains: Chains) -> list[Finding]:
    rows = []
    if chains.r_hat:
        worst = max(chains.r_hat, key=chains.r_hat.__getitem__)
        rows.append(Finding(PART, worst, "largest R-hat", chains.r_hat[worst], _R_HAT))
    if chains.effective:
        fewest = min(chains.effective, key=chains.effective.__getitem__)
        number = chains.effective[fewest]
        rows.append(Finding(PART, fewest, "fewest effective draws", number, ENOUGH))
    return rows
