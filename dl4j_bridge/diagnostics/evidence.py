"""Evidence in words: what each figure of a finding is, and its unit.

A figure without an entry is shown under its own name, with the unit that the name ends in, so that a new finding needs
no entry here.
"""

from collections.abc import Iterator
from typing import Any

from dl4j_bridge.tasks import columns

# A figure from 0 to 1 that is spelled as a percentage.
SHARE = "share"
# Units by the last word of a name, which they replace.
_UNITS = {"bits": "bits per sample", "db": "dB", "dbfs": "dBFS", "hz": "Hz", "ms": "ms", "seconds": "s"}
_UNITS |= {"percent": "%", "share": SHARE}
# Units that have a singular.
_COUNTED = ("samples",)
# Name in words, and unit, by name of a figure, or by code and name where one name has several meanings.
_NAMES: dict[str, tuple[str, str]] = {
    "accuracy": ("exact classes", SHARE),
    "agreement": ("labels that agree at this shift", SHARE),
    "agreement_where_right": ("labels that agree where they should", SHARE),
    "allowed": ("allowed", ""),
    "baselines": ("bits of simple models", "bits per sample"),
    "bits": ("loss", "bits per sample"),
    "chunk": ("the state is reset every", "samples"),
    "confidence": ("confidence (0 to 1)", ""),
    "cut_out": ("cut out by --align", "samples"),
    "delay": ("delay that is cut out", "samples"),
    "drift_percent": ("difference in speed", "%"),
    "error_share": ("variance that is left", SHARE),
    "excess_bits": ("the validation part is harder than for a simple model by", "bits"),
    "first": ("first wrong sample [batch, time]", ""),
    "first_layer_from_input": ("the input moves the first layer by", ""),
    "first_not_finite_step": ("first loss that is not finite: step", ""),
    "floors": ("levels at which a loss may stay", "bits per sample"),
    "gain_db": ("mean level, target to input", "dB"),
    "largest_difference": ("largest difference of a probability", ""),
    "learning_rate": ("learning rate", ""),
    "left": ("delay that is left after --align", "samples"),
    "length_ratio": ("length of the target to that of the input", ""),
    "level_dbfs": ("level", "dBFS"),
    "lookup_table": ("a lookup table", "bits per sample"),
    "mean_step": ("mean step from sample to sample", "classes"),
    "mean_step_with_128_added": ("mean step with 128 added", "classes"),
    "milliseconds": ("delay", "ms"),
    "none": ("steps without a class", ""),
    "other_values": ("steps whose value is not 1", ""),
    "output_weights_to_xavier": ("output weights relative to XAVIER", ""),
    "padding_without_mask": ("empty steps at the end, without a mask", ""),
    "parameters": ("parameters of the network", ""),
    "peak": ("highest correlation at a lag of", "samples"),
    "peak_gain_db": ("peak level, target to input", "dB"),
    "several": ("steps with several classes", ""),
    "shift": ("labels are ahead by", "samples"),
    "speed": ("the target is slower by a factor of", ""),
    "training_samples": ("samples to train on", ""),
    "unexplained": ("energy that the best filter leaves", SHARE),
    "unexplained_after": ("energy that is left after the change", SHARE),
    "unexplained_share": ("difference that resets leave unexplained", SHARE),
    "update_ratio": ("first updates relative to the parameters", SHARE),
    "wanted": ("samples wanted", ""),
    "wanted_about": ("wanted about", ""),
    "bit-crushed.best_esr": ("ESR of the rounding", ""),
    "bit-crushed.bits": ("resolution", "bits"),
    "bit-crushed.empty_above_hz": ("the target has nothing above", "Hz"),
    "bit-crushed.held_samples": ("each sample is repeated, times", ""),
    "bit-crushed.rate": ("rate that the target really has", "Hz"),
    "bit-crushed.step": ("step from level to level (full scale is 1)", ""),
    "clipped.input": ("flat peaks in the input", SHARE),
    "clipped.target": ("flat peaks in the target", SHARE),
    "dc-offset.input": ("offset of the input (full scale is 1)", ""),
    "dc-offset.target": ("offset of the target (full scale is 1)", ""),
    "dropouts.clicks_in_target": ("clicks in the target", "s"),
    "dropouts.count": ("number", ""),
    "dropouts.gaps_in_input": ("gaps in the input", "s"),
    "dropouts.gaps_in_target": ("gaps in the target", "s"),
    "dropouts.repeated_in_target": ("repeated buffers in the target", "s"),
    "length-mismatch.input": ("length of the input", "samples"),
    "length-mismatch.target": ("length of the target", "samples"),
    "length-mismatch.difference": ("difference", "samples"),
    "length-mismatch.tolerance": ("allowed", "samples"),
    "delay-changes.seconds": ("the delay changes at", "s"),
    "delay-changes.samples": ("delay", "samples"),
    "level-automation.decibels": ("largest change", "dB"),
    "level-automation.esr": ("ESR that it costs", ""),
    "level-automation.seconds": ("time", "s"),
    "level-automation.shape": ("how the volume changes", ""),
    "level-automation.share": ("changes of the gain that this explains", SHARE),
    "memory-too-short.after_samples": ("later than", "samples"),
    "memory-too-short.carried_seconds": ("training carries the state for", "s"),
    "memory-too-short.correlation": ("correlation with what the other half's late response gives (0 to 1)", ""),
    "memory-too-short.esr": ("energy of the target that comes later", SHARE),
    "memory-too-short.lag_seconds": ("largest answer after", "s"),
    "misaligned.high": ("delay at most", "samples"),
    "misaligned.low": ("delay at least", "samples"),
    "misaligned.samples": ("delay", "samples"),
    "not-followed.echo_seconds": ("the input comes again after", "s"),
    "not-followed.echo_prominence": ("how far that time stands out (1: not at all)", ""),
    "noise-floor.best_esr": ("lowest ESR that a model can reach", ""),
    "noise-floor.hum": ("steady tones of the mains, relative to the target", ""),
    "noise-floor.hum_hertz": ("their frequencies", "Hz"),
    "noise-floor.levels": ("what no fixed model explains at any level, relative to the target", ""),
    "noise-floor.pauses": ("noise in the pauses of the input, relative to the target", ""),
    "noise-floor.repeats": ("noise between exact repeats of the input, relative to the target", ""),
    "not-one-hot.samples": ("samples examined", ""),
    "quiet-recording.esr": ("error of 8 bits relative to the sound (ESR)", ""),
    "rate-mismatch.rates": ("sampling rates", "Hz"),
    "silence-dominated.input": ("silence in the input", SHARE),
    "silence-dominated.target": ("silence in the target", SHARE),
    "silence-dominated.share": ("samples of this class", SHARE),
    "swapped.target_leads_by": ("the target leads by", "samples"),
    "target-leads.high": ("delay at most", "samples"),
    "target-leads.low": ("delay at least", "samples"),
    "target-leads.samples": ("delay", "samples"),
    "time-variant.esr": ("ESR that it costs", ""),
    "time-variant.hertz": ("frequency", "Hz"),
    "time-variant.kind": ("what moves", ""),
    "time-variant.moves": ("the delay moves by", "ms"),
    "time-variant.share": ("error of a fixed model that this explains", SHARE),
    "window-overlap.share": ("samples that an earlier window has", SHARE),
    "window-overlap.compared": ("samples compared", ""),
    "wrong-take.seconds": ("parts that are something else", "s"),
    "wrong-take.usual_agreement": ("agreement of the rest with a fixed model (0 to 1)", ""),
}
# Longer lists are for the report's plots.
_LONGEST_LIST = 8


def in_words(code: str, evidence: dict[str, Any]) -> list[str]:
    """A phrase for each figure of a finding's evidence, such as ``delay: 40 samples``."""
    return list(_phrases(code, evidence))


def _phrases(code: str, evidence: dict[str, Any]) -> Iterator[str]:
    for name, value in evidence.items():
        words, unit = _name(code, name)
        text = _group(code, value, unit) if isinstance(value, dict) else _value(value, unit)
        if text:
            yield f"{words}: {text}"


def _group(code: str, group: dict[str, Any], unit: str) -> str:
    """Figures of a group, which have its unit unless they have one of their own."""
    texts = []
    for name, value in group.items():
        words, own = _name(code, name)
        inside = isinstance(value, dict)
        text = _group(code, value, own or unit) if inside else _value(value, own or unit)
        if text:
            texts.append(f"{words} ({text})" if inside else f"{words} {text}")
    return ", ".join(texts)


def _name(code: str, name: str) -> tuple[str, str]:
    """Words and unit of a figure."""
    known = _NAMES.get(f"{code}.{name}") or _NAMES.get(name)
    if known:
        return known
    *first, last = name.split("_")
    words = first if first and last in _UNITS else [*first, last]
    return " ".join(words).replace("esr", "ESR"), _UNITS.get(last, "")


def _value(value: Any, unit: str) -> str:
    """A figure with its unit; empty for what is too long for a line."""
    if isinstance(value, list):
        plain = all(not isinstance(part, list | dict) for part in value)
        return ", ".join(columns.plain(part) for part in value) if plain and len(value) <= _LONGEST_LIST else ""
    if value is None:
        return columns.NOTHING
    if unit == SHARE and not isinstance(value, str):
        return f"{100 * value:.3g} %"
    if type(value) is int:
        unit = unit.removesuffix("s") if value == 1 and unit in _COUNTED else unit
        return f"{value:,} {unit}".strip()
    return f"{columns.plain(value)} {unit}".strip()
