"""Settings of `search`: how many trials, for how long, and what counts as good."""

from dataclasses import dataclass

from dl4j_bridge.settings.checks import ABOVE_0, Settings, one_of, setting, up_to

PRUNERS = ("hyperband", "halving", "none")


@dataclass(frozen=True)
class SearchSettings(Settings):
    """A search for training settings. A trial is one training run with sampled settings."""

    trials: int = setting(20, "Number of trials.", up_to(1_000_000))
    minutes: float | None = setting(
        None, "Maximum number of minutes that this command searches; a trial that runs then is saved.", ABOVE_0
    )
    trial_minutes: float | None = setting(
        None,
        "Maximum number of minutes of training in a trial; if neither this nor --steps nor --epochs is given, "
        "--minutes divided by --trials.",
        ABOVE_0,
    )
    objective: str = setting(
        "",
        "Validation metric to optimize, such as esr; the task's loss if not given. esr,real_time_factor searches for "
        "the best error at each speed.",
    )
    pruner: str = setting(
        "hyperband",
        "Stop trials whose validations are worse than others' at the same share of their training: hyperband, halving "
        "(successive halving) or none. With two objectives none.",
        one_of(PRUNERS),
    )
    storage: str | None = setting(
        None,
        "Database that several machines share, such as postgresql://USER@HOST/NAME; a file in the search folder if "
        "not given.",
    )
    heartbeat: int = setting(
        10, "With --storage: seconds between a worker's signs of life; after three without, it is dead.", up_to(3600)
    )

    @property
    def objectives(self) -> tuple[str, ...]:
        return tuple(filter(None, self.objective.split(",")))
