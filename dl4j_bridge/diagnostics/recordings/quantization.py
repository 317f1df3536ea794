"""What is left of the sound in 8 bits?"""

from dataclasses import replace

import numpy as np

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.findings import Kind, Outcome
from dl4j_bridge.diagnostics.recordings.levels import decibels
from dl4j_bridge.diagnostics.recordings.silence import silence_share
from dl4j_bridge.diagnostics.relation import Floats
from dl4j_bridge.signal import metrics
from dl4j_bridge.signal.codecs import CLASSES

QUIET_RECORDING = Kind("quiet-recording")

# Energy of the noise of 8 bits relative to the sound: -17 dB is heard as a rustle beside everything.
QUANTIZATION_ESR = 0.02


def check(case: Case) -> Outcome:
    sides, codec = case.sides, case.codec
    classes = dict(zip(sides, case.indices, strict=False))
    enough = case.indices[0].size > 1
    errors = {name: quantization_esr(case, x, case.recordings[name].is_8_bit) for name, x in sides.items()}
    quiet = {name: error for name, error in errors.items() if error > QUANTIZATION_ESR}
    figures = {
        "codec": codec.name,
        "entropy_bits": {name: metrics.entropy_bits(c) if enough else None for name, c in classes.items()},
        "order_1_entropy_bits": {
            name: metrics.order_1_entropy_bits(c) if enough else None for name, c in classes.items()
        },
        "histogram": {name: np.bincount(c, minlength=CLASSES).tolist() for name, c in classes.items()},
        "quantisation_esr": errors,
        "quantisation_db": {name: metrics.snr_db(error) for name, error in errors.items()},
    }
    helps = codec.name == "linear" and _is_enough(case, "mulaw", {name: sides[name] for name in quiet})
    fix = f"normalize the {' and the '.join(quiet)}" + (", or --codec mulaw" if helps else "")
    evidence = {"esr": quiet, "level_dbfs": {name: decibels(float(sides[name].std())) for name in quiet}}
    return QUIET_RECORDING.outcome(bool(quiet), fix, evidence, figures, **({"codec": "mulaw"} if helps else {}))


def _is_enough(case: Case, codec: str, quiet: dict[str, Floats]) -> bool:
    """Whether another codec leaves little enough noise; what was rounded to 8 bits before stays so."""
    other = replace(case, settings=case.settings.with_options({"codec": codec}))
    errors = [quantization_esr(other, x, case.recordings[name].is_8_bit) for name, x in quiet.items()]
    return max(errors, default=0.0) <= QUANTIZATION_ESR


def quantization_esr(case: Case, x: Floats, is_8_bit: bool) -> float:
    """Error of the 8-bit version of a sound relative to the sound, without its offset and its pauses.

    An 8-bit file has met its error before; then it is that of uniform rounding, a twelfth of a squared step.
    """
    power = float(x.var()) / max(1 - silence_share(x, case.rate), 1e-3)
    if not power:
        return 0.0
    decoded = case.decode(case.encode(x))
    rounding = (1 / 128) ** 2 / 12 if is_8_bit else 0.0
    return max(float(np.mean((decoded - np.clip(x, -1, 1)) ** 2)), rounding) / power
