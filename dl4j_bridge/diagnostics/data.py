"""Layer 1: the recordings. Do they belong together, sample by sample, and is there enough in them to learn from?

Each check reports what it measured. A fault keeps quiet about what only follows from another: at another speed nothing
is aligned, and what is unrelated has no polarity.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from dl4j_bridge.diagnostics.case import (
    STANDARD_RATES,
    Case,
    Floats,
    parameters,
    read,
    spread,
    without_delay,
)
from dl4j_bridge.diagnostics.findings import FAULT, WARNING, Check, Finding, Outcome
from dl4j_bridge.signal import alignment, metrics, pairs
from dl4j_bridge.signal.audio import Recording
from dl4j_bridge.signal.codec import CLASSES

# A lag is a delay if it exceeds this share of what a filter of that response takes anyway; of a filter that takes no
# more than so many samples the estimate is exact. Steep low-passes (order 8) came to 0.43, two samples to 1.
OWN_LAG_SHARE = 0.5
EXACT_OWN_LAG = 2
# Levels further apart than this, both on average and at their peaks, are no effect's work.
GAIN_DB = 20.0
# Samples at the extreme, as a share of all and against the next few levels: 2.4 is the most that a sine has there.
CLIPPED_SHARE = 5e-4
CLIPPED_TO_NEXT = 5.0
NEXT_LEVELS = 3
# G.711 decodes its largest code to 0.980.
FULL_SCALE = 0.975
SILENCE_FRAME_SECONDS = 0.02
SILENCE_BELOW_LOUDEST_DB = 40.0
SILENCE_SHARE = 0.8
# Four of 256 levels, a share of the sound that a lopsided amplifier did not reach (0.15), and beyond what the parts of
# a recording scatter: a plucked string's own mean, another one with every note, came to twice the standard deviation.
OFFSET = 0.03
OFFSET_TO_SOUND = 0.2
OFFSET_TO_SCATTER = 2.0
# Peak to mean level of what is nearly a square wave: its mean is how long it stays on either side, not an offset.
SQUARE_CREST = 2.5
OFFSET_PARTS = 10
OFFSET_PART_SECONDS = 0.2
# Below one training sample to so many parameters a network learns its recording by heart.
PARAMETERS_PER_SAMPLE = 30
# Noise of 8 bits against the sound: -17 dB is heard as a rustle beside everything.
QUANTISATION_ESR = 0.02
# Shorter than this, chance makes anything look unrelated.
SHORTEST_RELATED_SECONDS = 1.0


def checks(case: Case) -> list[Check]:
    """Give the checks of the recordings, in the order in which their findings should be mended.

    Parameters
    ----------
    case
        The recordings; without a target only what makes sense for one recording is checked.

    Returns
    -------
    list of Check
        Their `run` raises `InputError` for recordings that cannot be used at all.
    """
    always = [levels, clipping, silence, offset, amount, quantisation]
    every = [rates, lengths, aligned, related, polarity, *always] if case.target else [rates, *always]
    return [Check(check.__name__, partial(check, case)) for check in every]


def rates(case: Case) -> Outcome:
    """Do the contents run at the same speed, whatever the headers say?"""
    figures: dict[str, Any] = {"rate": {"input": case.source.rate, "training": case.rate}}
    figures["looked_at_seconds"] = round(case.x.size / case.rate, 3)
    if case.processed is None:
        return Outcome(figures=figures)
    figures["rate"]["target"] = case.processed.rate
    speed = figures["speed"] = case.speed
    if speed is None:
        return Outcome(figures=figures)
    evidence = {
        "speed": speed,
        "drift_percent": 100 * (speed - 1),
        "length_ratio": case.lengths[1] / case.lengths[0],
        "rates": figures["rate"],
    }
    return _found("rate-mismatch", _speed_words(case.source.rate, case.processed.rate, speed), evidence, figures)


def lengths(case: Case) -> Outcome:
    """Would `train` take recordings of these lengths?"""
    x, y = case.lengths
    samples = {"input": x, "target": y}
    figures: dict[str, Any] = {"samples": samples, "seconds": {"input": x / case.rate, "target": y / case.rate}}
    if case.speed or case.fits_in_length or _is_unrelated(case):
        return Outcome(figures=figures)
    longer, shorter = ("target", min(x, y)) if y > x else ("input", min(x, y))
    evidence = samples | {"difference": y - x, "tolerance": case.tolerance, "delay": case.cut}
    return _found("length-mismatch", f"cut the {longer} to {shorter} samples at {case.rate} Hz", evidence, figures)


def aligned(case: Case) -> Outcome:
    """Does the target come later, or earlier, than its input and a causal filter explain?"""
    delay, excess = case.delay, case.excess
    figures = {
        "delay": {
            "samples": excess.samples,
            "cut_out_by_auto": delay.samples,
            "peak": delay.peak,
            "filter": excess.own,
            "confidence": delay.confidence,
        }
    }
    fixed = case.settings.data.align != "auto"
    left = excess.samples - (case.cut if fixed else 0)
    # A delay that somebody cut out by hand may have been between two samples.
    rest = fixed and case.cut != 0 and abs(left) <= 1
    if case.speed or rest or not _has_delay(case, left):
        return Outcome(figures=figures)
    evidence = figures["delay"] | {"milliseconds": 1000 * excess.samples / case.rate, "left": left}
    count = abs(excess.samples)
    if left > 0:
        auto = f"--align auto (the default) cuts out {delay.samples} samples; or " if delay.samples > 0 else ""
        fix = f"{auto}--align {excess.samples}; or drop the first {count} samples of the target in your own program"
        return _found("misaligned", fix, evidence, dict(figures))
    fix = f"--align {excess.samples}; or drop the first {count} samples of the input in your own program"
    return _found("target-leads", fix, evidence, dict(figures))


def related(case: Case) -> Outcome:
    """Is the target made from this input at all?"""
    relation = case.relation
    figures = {
        "relation": {
            "confidence": relation.confidence,
            "impulse_response": relation.response,
            "envelope": relation.envelope,
            "curve": relation.curve,
        }
    }
    if not _is_unrelated(case):
        return Outcome(figures=figures)
    fix = (
        "check that --target was made from --input; a delay of more than "
        f"{pairs.LONGEST_DELAY_SECONDS:g} s must be cut off first"
    )
    return _found("unrelated", fix, dict(figures["relation"]), dict(figures))


def _is_unrelated(case: Case) -> bool:
    long_enough = min(case.lengths) >= SHORTEST_RELATED_SECONDS * case.rate
    return not case.speed and not case.relation.found and long_enough


def polarity(case: Case) -> Outcome:
    """Does the target go down where the input goes up?"""
    # Where a filter has a lag of its own it may turn the peak around, as a band-pass does; else the peak tells better.
    inverted = case.excess.inverted if case.excess.own > EXACT_OWN_LAG else case.delay.inverted
    figures = {"inverted": inverted}
    if case.speed or not inverted or case.delay.confidence < alignment.LOW_CONFIDENCE:
        return Outcome(figures=dict(figures))
    evidence = figures | {"confidence": case.delay.confidence}
    return _found("polarity-inverted", "multiply the target by -1 in your own program", evidence, dict(figures))


def levels(case: Case) -> Outcome:
    """Are the two about equally loud?"""
    figures: dict[str, Any] = {"level_dbfs": {}, "peak_dbfs": {}}
    for name, x in _sides(case).items():
        figures["level_dbfs"][name] = _decibels(float(x.std()))
        figures["peak_dbfs"][name] = _decibels(float(np.abs(x).max()))
    if case.processed is None or case.speed:
        return Outcome(figures=figures)
    mean, peak = (figures[key]["target"] - figures[key]["input"] for key in ("level_dbfs", "peak_dbfs"))
    # A fuzz lifts the mean alone, a sparse click the peak.
    if min(abs(mean), abs(peak)) <= GAIN_DB or mean * peak < 0:
        return Outcome(figures=figures)
    quieter = "target" if mean < 0 else "input"
    fix = f"amplify the {quieter} by {abs(mean):.0f} dB in your own program"
    return _found("gain-mismatch", fix, {"gain_db": mean, "peak_gain_db": peak}, figures, WARNING)


def clipping(case: Case) -> Outcome:
    """Are the tops flat? In the target only at full scale: below that they are a distortion's work."""
    recordings = {"input": case.source} | ({"target": case.processed} if case.processed else {})
    figures: dict[str, Any] = {"clipped_share": {}}
    clipped = []
    for name, recording in recordings.items():
        share, extreme = clipped_share(recording)
        figures["clipped_share"][name] = share
        if share > CLIPPED_SHARE and (name == "input" or extreme >= FULL_SCALE):
            clipped.append(name)
    if not clipped:
        return Outcome(figures=figures)
    fix = f"record the {' and the '.join(clipped)} again at a lower level"
    return _found("clipped", fix, {name: figures["clipped_share"][name] for name in clipped}, figures)


def silence(case: Case) -> Outcome:
    """Is most of it pause?"""
    figures = {"silence_share": {name: silence_share(x, case.rate) for name, x in _sides(case).items()}}
    silent = {name: share for name, share in figures["silence_share"].items() if share > SILENCE_SHARE}
    if not silent:
        return Outcome(figures=dict(figures))
    fix = "cut the pauses out of both recordings, at the same places"
    return _found("silence-dominated", fix, dict(silent), dict(figures))


def offset(case: Case) -> Outcome:
    """Is the middle of the waveform at zero?"""
    sides = _sides(case)
    figures = {"offset": {name: steady_offset(x, case.rate) for name, x in sides.items()}}
    shifted = {
        name: value
        for name, value in figures["offset"].items()
        if abs(value) > max(OFFSET, OFFSET_TO_SOUND * float(sides[name].std()))
    }
    if not shifted:
        return Outcome(figures=dict(figures))
    fix = f"subtract the offset from the {' and the '.join(shifted)}, or high-pass at 20 Hz"
    return _found("dc-offset", fix, dict(shifted), dict(figures))


def amount(case: Case) -> Outcome:
    """Is there enough for a network of this size?"""
    settings = case.settings
    first, last = pairs.split(case.length)["train"]
    width = {"frames": settings.frames.frame, "spectrogram": settings.spectrogram.window // 2 + 1}
    samples, numbers = last - first, parameters(settings.network, width.get(settings.network.task, CLASSES))
    figures = {"training_samples": samples, "parameters": numbers}
    # Without a target the last frame of a window has one more behind it.
    window = (settings.run.length + (case.target is None and settings.hop > 1)) * settings.hop
    wanted = max(numbers // PARAMETERS_PER_SAMPLE, window)
    if samples >= wanted:
        return Outcome(figures=dict(figures))
    seconds = math.ceil(wanted / 0.8 / case.rate)
    fix = f"record {seconds} s or more, or train a smaller network: --hidden, --layers"
    return _found("too-little-data", fix, figures | {"wanted": wanted}, dict(figures))


def quantisation(case: Case) -> Outcome:
    """What is left of the sound in 8 bits?"""
    sides, codec = _sides(case), case.task.codec
    recordings = {"input": case.source, "target": case.processed}
    classes = dict(zip(sides, case.indices, strict=False))
    figures: dict[str, Any] = {"codec": codec.name}
    for key in ("entropy_bits", "order_1_entropy_bits", "histogram", "quantisation_esr", "quantisation_db"):
        figures[key] = {}
    for name, indices in classes.items():
        recording = recordings[name]
        floor = quantisation_esr(case, sides[name], recording is not None and recording.is_8_bit)
        figures["quantisation_esr"][name] = floor
        figures["quantisation_db"][name] = metrics.snr_db(floor)
        figures["histogram"][name] = np.bincount(indices, minlength=CLASSES).tolist()
        enough = indices.size > 1
        figures["entropy_bits"][name] = metrics.entropy_bits(indices) if enough else None
        figures["order_1_entropy_bits"][name] = metrics.order_1_entropy_bits(indices) if enough else None
    quiet = {name: floor for name, floor in figures["quantisation_esr"].items() if floor > QUANTISATION_ESR}
    if not quiet:
        return Outcome(figures=figures)
    fix = f"normalise the {' and the '.join(quiet)}" + (", or --codec mulaw" if codec.name == "linear" else "")
    evidence = {"esr": quiet, "level_dbfs": {name: _decibels(float(sides[name].std())) for name in quiet}}
    return _found("quiet-recording", fix, evidence, figures)


def clipped_share(recording: Recording) -> tuple[float, float]:
    """Share of samples on flat tops, and how far out the tops are; at the recording's own rate, before resampling.

    A level counts if it is the extreme of its sign and much fuller than the next ones: a sine gathers at its extremes
    too, and 8 bits make plateaus of any slow wave, but those thin out level by level.
    """
    x = np.clip(read(recording, recording.rate, spread(recording.frames, recording.rate)), -1, 1)
    share, extreme = 0.0, float(np.abs(x).max())
    for side in (x[x > 0], -x[x < 0]):
        values, counts = np.unique(side, return_counts=True)
        if values.size and counts[-1] > CLIPPED_TO_NEXT * counts[-1 - NEXT_LEVELS : -1].max(initial=1):
            share += float(counts[-1]) / x.size
    return share, extreme


def silence_share(x: Floats, rate: int) -> float:
    """Share of frames far below the loudest one."""
    size = max(round(SILENCE_FRAME_SECONDS * rate), 2)
    if x.size < size:
        return 0.0
    power = x[: x.size // size * size].reshape(-1, size).var(axis=1)
    return float(np.mean(power <= power.max() * 10 ** (-SILENCE_BELOW_LOUDEST_DB / 10)))


def steady_offset(x: Floats, rate: int) -> float:
    """The mean that the parts of a recording share, in their quiet moments too; 0 if they do not.

    A lopsided sound has a mean only while it lasts, and a plucked string another one with every note.
    """
    size = max(round(SILENCE_FRAME_SECONDS * rate), 2)
    if x.size < OFFSET_PARTS * OFFSET_PART_SECONDS * rate:
        return 0.0
    frames = x[: x.size // size * size].reshape(-1, size)
    means = []
    for part in np.array_split(frames, OFFSET_PARTS):
        power = part.var(axis=1)
        means.append(float(np.median(part[power <= np.quantile(power, 0.25)].mean(axis=1))))
    middle = float(np.median(means))
    scatter = float(np.std(means))
    square = float(np.abs(x).max()) < SQUARE_CREST * float(x.std())
    return middle if abs(middle) > OFFSET_TO_SCATTER * scatter and not square else 0.0


def quantisation_esr(case: Case, x: Floats, is_8_bit: bool) -> float:
    """Error of the 8-bit version of a sound against the sound, without its offset and its pauses.

    An 8-bit file has met its error before; then it is that of uniform rounding, a twelfth of a squared step.
    """
    power = float(x.var()) / max(1 - silence_share(x, case.rate), 1e-3)
    if not power:
        return 0.0
    decoded = case.task.to_samples(case.task.encoder().push(x))
    rounding = (1 / 128) ** 2 / 12 if is_8_bit else 0.0
    return max(float(np.mean((decoded - np.clip(x, -1, 1)) ** 2)), rounding) / power


def _has_delay(case: Case, left: int) -> bool:
    excess = case.excess
    if case.delay.confidence < alignment.LOW_CONFIDENCE or case.delay.peak == 0 == case.cut or not left:
        return False
    if not case.keeps_lag:
        return False
    allowed = OWN_LAG_SHARE * excess.own if excess.own > EXACT_OWN_LAG else 0
    return abs(left) > allowed


def _sides(case: Case) -> dict[str, Floats]:
    """What both have of each other, delay and all; nothing of a longer recording's tail."""
    if case.processed is None:
        return {"input": case.x}
    x, y = without_delay(case.x, case.y, 0)
    return {"input": x, "target": y}


def _decibels(level: float) -> float:
    return 20 * math.log10(max(level, 1e-10))


def _speed_words(source: int, target: int, speed: float) -> str:
    """How to mend a speed: the header that would explain it, or the speed itself."""
    lies = [rate for rate in STANDARD_RATES if abs(target * speed / rate - 1) < 2e-4 and rate != target]
    if lies:
        return f"the target's header says {target} Hz, its contents run at {lies[0]} Hz: write it with that rate"
    lies = [rate for rate in STANDARD_RATES if abs(source / speed / rate - 1) < 2e-4 and rate != source]
    if lies:
        return f"the input's header says {source} Hz, its contents run at {lies[0]} Hz: write it with that rate"
    return f"play the target {speed:.6f} times as fast (sox: speed {speed:.6f}), or record both with one clock"


def _found(code: str, fix: str, evidence: dict[str, Any], figures: dict[str, Any], severity: str = FAULT) -> Outcome:
    return Outcome([Finding(code, severity, fix, evidence)], figures)
