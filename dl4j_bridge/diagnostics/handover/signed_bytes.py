"""Were bytes that run from -128 to 127 taken for classes without the right offset?"""

import numpy as np

from dl4j_bridge.diagnostics.findings import Finding, Kind
from dl4j_bridge.diagnostics.handover import layout
from dl4j_bridge.diagnostics.handover.layout import FEWEST_SAMPLES, NO_CLASS, Indices
from dl4j_bridge.signal.codecs import CLASSES

SIGNED_BYTES = Kind("signed-bytes")

# With 128 added, total variation falls, and the error of predicting a sample from two falls below LESS_ERROR of itself.
# In healthy recordings, clipped to square waves or not, at most one of them falls, and where it is the error, as in the
# quietest ones (to 0.6), variation grows a hundredfold.
LESS_ERROR = 0.7
# The same if each window is predicted by its own two weights, as windows of several pitches must be: of healthy
# recordings, none came to less than 1 in both.
LESS_ERROR_IN_WINDOWS = 0.9
# A quiet recording's error may stay the same; its variation falls to a fifth, and its commonest class is silence.
QUIET_LESS_VARIATION = 0.25


def check(name: str, batches: list[Indices]) -> Finding | None:
    """Find classes whose middle comes to both ends.

    Parameters
    ----------
    name
        ``features`` or ``labels``.
    batches : list of ndarray, shape (batch, time)
        Classes.
    """
    before, after = _variation(batches, 0), _variation(batches, 128)
    if sum(indices.size for indices in batches) < FEWEST_SAMPLES or before == 0:
        return None
    error = layout.unexplained(*batches)
    signed = [as_signed(indices) for indices in batches]
    shifted = layout.unexplained(*signed)
    smoother = after < before and (
        shifted < LESS_ERROR * error
        or _unexplained_in_windows(signed) < LESS_ERROR_IN_WINDOWS * _unexplained_in_windows(batches)
    )
    quiet = after < QUIET_LESS_VARIATION * before and _silence_at_the_ends(batches)
    if not smoother and not quiet:
        return None
    evidence = {
        "array": name,
        "mean_step": round(before, 3),
        "mean_step_with_128_added": round(after, 3),
        "unexplained": round(error, 4),
        "unexplained_with_128_added": round(shifted, 4),
    }
    fix = (
        "8-bit wav bytes are unsigned, Java's are signed: class = b & 0xff for the bytes of an 8-bit wav; "
        "class = b + 128 for signed samples"
    )
    return SIGNED_BYTES.found(fix, evidence)


def as_signed(indices: Indices) -> Indices:
    """The classes with 128 added modulo 256."""
    return np.where(indices == NO_CLASS, NO_CLASS, indices ^ 128)


def _unexplained_in_windows(batches: list[Indices]) -> float:
    """Share of the windows' variance that is left, each window predicted with its own weights."""
    rows = [row[None] for indices in batches for row in indices]
    sizes = [float(np.var(row[row != NO_CLASS])) * row.size if (row != NO_CLASS).any() else 0.0 for row in rows]
    return sum(layout.unexplained(row) * size for row, size in zip(rows, sizes, strict=True)) / max(sum(sizes), 1e-12)


def _silence_at_the_ends(batches: list[Indices]) -> bool:
    """True where class 0 is a peak between 255 and 1, as silence is; a clipped recording has a cliff there."""
    counts = np.bincount(np.concatenate([i[i != NO_CLASS] for i in batches]), minlength=CLASSES)
    last, silence, first = (int(counts[k]) for k in (255, 0, 1))
    return 2 * silence >= max(last, first) and min(last, first) >= 0.2 * max(last, first) > 0


def _variation(batches: list[Indices], added: int) -> float:
    """Mean size of a step from sample to sample, with `added` added modulo 256."""
    steps = []
    for indices in batches:
        both = (indices[:, 1:] != NO_CLASS) & (indices[:, :-1] != NO_CLASS)
        steps.append(np.abs(np.diff((indices + added) % CLASSES, axis=1))[both])
    together = np.concatenate(steps)
    return float(together.mean()) if together.size else 0.0
