"""Names that options have in other programs, for an error to answer with ours."""

from collections.abc import Collection
from difflib import get_close_matches

# Without hyphens in front. Of several names of ours, the first that the command has.
_OURS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("lr", "learn-rate", "step-size"): ("learning-rate",),
    ("epoch", "num-epochs", "max-epochs", "n-epochs"): ("epochs",),
    ("iterations", "iteration", "iters", "max-steps", "num-steps", "updates"): ("steps",),
    ("batch-size", "bs", "mini-batch"): ("batch",),
    ("hidden-size", "hidden-units", "units", "num-units"): ("hidden",),
    ("num-layers", "n-layers", "depth"): ("layers",),
    ("sequence-length", "seq-len", "window-length"): ("length",),
    ("bptt", "truncate", "tbptt-length"): ("tbptt",),
    ("optimizer", "optimiser", "solver"): ("updater",),
    ("device", "gpu", "accelerator"): ("backend",),
    ("sample-rate", "samplerate", "sr"): ("rate",),
    ("num-threads", "cores", "jobs", "workers"): ("threads",),
    ("random-seed", "random-state"): ("seed",),
    ("early-stopping",): ("patience",),
    ("grad-clip", "gradient-clip", "max-norm"): ("clip",),
    ("latency", "delay"): ("align",),
    ("dry", "source", "in", "clean"): ("input",),
    ("wet", "processed", "reference"): ("target",),
    ("out", "o", "output", "out-dir", "output-dir", "outdir", "save", "dest", "destination"): ("output", "out"),
    ("checkpoint", "weights", "net", "network", "run"): ("model", "from"),
    ("force", "replace", "yes"): ("overwrite",),
    ("duration", "time"): ("seconds", "minutes"),
    ("temp",): ("temperature",),
    ("author",): ("modeled-by",),
    ("type", "arch", "architecture"): ("task", "format"),
}
HABITS = {theirs: ours for names, ours in _OURS.items() for theirs in names}


def ours(name: str, known: Collection[str], cutoff: float = 0.6) -> str | None:
    """The option among `known` that `name` stands for or is spelled like; None if there is none.

    Parameters
    ----------
    name, known
        Without hyphens in front.
    cutoff
        How much alike two names have to be, from 0 to 1.
    """
    same = [option for option in HABITS.get(name, ()) if option in known]
    near = get_close_matches(name, known, n=1, cutoff=cutoff)
    return next(iter(same + near), None)
