"""The commands ``python -m hiermix demo`` and ``python -m hiermix compile``."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from hiermix.errors import HiermixError, count


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command named on the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m hiermix", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("demo", help="fit radon levels in Minnesota").set_defaults(run=demo)
    commands.add_parser("compile", help="build all programs with CmdStan").set_defaults(run=build)
    try:
        parser.parse_args(arguments).run()
    except HiermixError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def demo() -> None:
    """Fit radon, print model and summary; draw shrinkage and a forecast into ``figures``."""
    import hiermix as hm

    radon = hm.load_dataset("radon")
    model = hm.Model("log_radon ~ floor + log_uranium + (1 + floor | county)", radon)
    print(model, end="\n\n")
    fit = model.fit(seed=1)
    print(fit.summary().round(3).to_string(), end="\n\n")
    path = Path("figures") / "shrinkage.png"
    path.parent.mkdir(exist_ok=True)
    fit.plot_shrinkage("county", effects="Intercept").save(path)
    print(f"wrote {path}")
    rain = hm.Model(
        "rainfall ~ year_numeric + (year_numeric || state)", hm.load_dataset("rainfall")
    )
    forecast = rain.fit(seed=1).forecast(time="year_numeric", horizon=6, by="state")
    path = path.with_name("forecast.png")
    forecast.plot().save(path)
    print(f"wrote {path}")


def build() -> None:
    """Build every program ahead, so that no fit has to wait for a compiler."""
    from hiermix.engines import executables
    from hiermix.stan import programs

    cmdstan = executables.required_installation()
    every = [programs.find(name) for name in programs.names()]
    missing = [each for each in every if not executables.cache_path(each, cmdstan).exists()]
    print(f"CmdStan {cmdstan.version}: {count(len(missing), 'program')} to build, of {len(every)}")
    for done, program in enumerate(missing, start=1):
        start = time.perf_counter()
        print(f"{program.name} ({len(missing) - done} to come) ...", end=" ", flush=True)
        path = executables.build(program)
        print(f"{time.perf_counter() - start:.0f} s, {path}")


if __name__ == "__main__":
    sys.exit(main())
