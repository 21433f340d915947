"""The program that was chosen, put together with its data."""

from functools import partial

from hiermix.design.design import Design
from hiermix.families.family import Family
from hiermix.families.priors import PriorTable
from hiermix.stan import assemble_patterned, assemble_tree, programs
from hiermix.stan.assemble import Assembled, integrated, sampled
from hiermix.stan.assemble_beside import beside
from hiermix.stan.assemble_crossed import crossed
from hiermix.statistics.row_sums import Sums
from hiermix.tuning.points import Point

_BESIDE = {programs.CROSSED: crossed, programs.STRATA_BESIDE: beside}
"""Those that integrate some effects out, and sample others beside."""


def assemble(
    name: str,
    design: Design,
    family: Family,
    table: PriorTable,
    *,
    prior_only: bool,
    near: Point | None,
    sums: Sums,
    parameterisation: str,
) -> Assembled:
    """Assemble a program by its name, in the coordinates of the mode next to `near`."""
    if family.normal is not None and name != family.program:
        design = family.normal.design(design)
    if name in _BESIDE:
        return _BESIDE[name](
            design, table, prior_only=prior_only, near=near, parameterisation=parameterisation
        )
    if not programs.integrates(name):
        return sampled(
            design, family, table, prior_only=prior_only, near=near,
            parameterisation=parameterisation,
        )  # fmt: skip
    of_factors = partial(integrated, name=name, sums=sums)
    of_patterns = partial(assemble_patterned.assemble, name=name)
    others = {programs.NESTED: assemble_tree.assemble}
    others |= dict.fromkeys(programs.PATTERNED, of_patterns)
    return others.get(name, of_factors)(design, table, prior_only=prior_only, near=near)
