"""What two recordings have in common, from a lag to a mere loudness."""

import numpy as np
import numpy.typing as npt

from dl4j_bridge.signal import alignment, pairs
from dl4j_bridge.signal.codecs import Codec
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.baselines.lookup_table import LookupTable

Floats = npt.NDArray[np.float64]

# Frames over which a ring modulator's beats even out, so that they show whether there is a loudness in common.
FRAME_SECONDS = 0.05
# Recordings that are related although no lag stands out share an impulse response in both halves (reverberation),
# a loudness (ring modulation) or a curve (rectifier). Unrelated speech and music stayed below 0.4 (drums and the same
# backwards, whose kicks are alike), 0.67 and 0.05; a reverberation alone came to 0.88 or more.
SHARED = {"confidence": alignment.LOW_CONFIDENCE, "impulse_response": 0.5, "envelope": 0.75, "curve": 0.1}


def are_related(relation: dict[str, float]) -> bool:
    """Whether two recordings have enough of anything in common to be related; takes what `relate` returned."""
    return any(value >= SHARED[name] for name, value in relation.items())


def relate(x: Floats, y: Floats, rate: int, delay: alignment.Delay, indices: Stretch, codec: Codec) -> dict[str, float]:
    """Measure what two recordings have in common.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n,) and (m,)
        Read at `rate`, in Hz.
    rate
        In Hz.
    delay
        The lag that stands out most.
    indices
        The same sounds as classes, with the delay cut out.
    codec
        The codec of the classes.

    Returns
    -------
    dict
        Each from 0 (nothing) to 1. ``confidence``: how far one lag stands out. ``impulse_response``: correlation of the
        impulse responses measured in either half. ``envelope``: correlation of the changes of loudness, at the best
        lag. ``curve``: share of the target's variance that a curve fitted on the first half explains in the second.
    """
    n = min(x.size, y.size)
    longest = round(pairs.LONGEST_DELAY_SECONDS * rate)
    half = n // 2
    responses = [alignment.impulse_response(x[part], y[part], longest) for part in (slice(half), slice(half, 2 * half))]
    energy = float(np.sqrt(np.prod([np.dot(r, r) for r in responses])))
    response = float(np.dot(*responses)) / energy if energy else 0.0
    left, right = (envelope(side[:n], rate, FRAME_SECONDS) for side in (x, y))
    loudness = envelope_match(left, right, round(pairs.LONGEST_DELAY_SECONDS / FRAME_SECONDS))
    curve = _explained_by_curve(indices, codec)
    return {"confidence": delay.confidence, "impulse_response": response, "envelope": loudness, "curve": curve}


def envelope(x: Floats, rate: int, seconds: float) -> Floats:
    """Loudness of frames of this length: natural logarithm, floored 40 dB below that of the whole."""
    return np.asarray(np.log(frames(x, rate, seconds).std(axis=1) + 0.01 * x.std() + 1e-9))


def frames(x: Floats, rate: int, seconds: float) -> Floats:
    """Cut a sound into adjacent frames of this length; shape (frames, samples)."""
    size = max(round(seconds * rate), 2)
    return x[: x.size // size * size].reshape(-1, size)


def envelope_match(left: Floats, right: Floats, reach: int) -> float:
    """Largest correlation of the changes of loudness, at up to `reach` frames of lag."""
    from scipy.signal import correlate

    n = min(left.size, right.size) - 1
    if n < 10:
        return 0.0
    a, b = np.diff(left[: n + 1]), np.diff(right[: n + 1])
    energy = float(np.sqrt(np.dot(a, a) * np.dot(b, b)))
    reach = min(reach, n - 1)
    match = correlate(b, a)[n - 1 - reach : n + reach]
    return float(match.max() / energy) if energy else 0.0


def _explained_by_curve(indices: Stretch, codec: Codec) -> float:
    source, target = indices
    half = target.size // 2
    table = LookupTable(codec)
    table.fit([(source[:half], target[:half])])
    wanted = codec.decode(target[half:])
    if half == 0 or not wanted.std():
        return 0.0
    error = wanted - table.predict(source[half:]).values
    return float(max(1 - error.var() / wanted.var(), 0.0))
