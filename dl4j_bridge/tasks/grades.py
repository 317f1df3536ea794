"""The ESR in words, with the limits of Neural Amp Modeler's trainer (``nam/train/core.py``)."""

# Values from the largest down: up to and without the limit, and what the last one is for.
_LIMITS = ((0.01, "great"), (0.035, "not bad"), (0.1, "might sound fine"), (0.3, "probably sounds wrong"))
_WORST = "something went wrong"
SCALE = ", ".join(f"below {limit:g} {words}" for limit, words in _LIMITS) + f", above that {_WORST}"


def of(esr: float | None) -> str | None:
    """Return the words for an error-to-signal ratio; None for that of a silent target, which has none."""
    if esr is None:
        return None
    return next((words for limit, words in _LIMITS if esr < limit), _WORST)
