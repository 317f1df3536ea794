"""Is a simple baseline better than the model?"""

from dl4j_bridge.diagnostics.criteria import Criterion
from dl4j_bridge.diagnostics.criteria.criterion import Rows
from dl4j_bridge.diagnostics.findings import Kind, Outcome

NOISIER_THAN_BASELINE = Kind("noisier-than-baseline")


def against_baselines(criterion: Criterion, rows: Rows) -> Outcome:
    """Compare the model's error with that of every baseline on the same held-out samples.

    Parameters
    ----------
    criterion
        What counts of a row.
    rows
        Rows of the comparison, the model's first.
    """
    figures = criterion.scores(rows)
    others = {name: score for name, score in figures.items() if name != "model"}
    if "model" not in figures or not others:
        return Outcome([], figures)
    best = (min if criterion.lower_is_better else max)(others, key=others.__getitem__)
    evidence = criterion.noisier(figures, best)
    return NOISIER_THAN_BASELINE.outcome(bool(evidence), train_longer(best), evidence, figures)


def train_longer(best: str) -> str:
    """What to do where the baseline `best` is better than a model."""
    return f"train for longer; until then {best} is the better model of this pair"
