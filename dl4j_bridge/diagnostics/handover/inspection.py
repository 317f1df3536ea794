"""Are somebody else's batches what was meant?"""

from typing import Any

from dl4j_bridge.diagnostics.findings import Finding
from dl4j_bridge.diagnostics.handover import layout, overlap, shift, signed_bytes, silence
from dl4j_bridge.diagnostics.handover.batches import read_batches
from dl4j_bridge.diagnostics.handover.layout import Indices
from dl4j_bridge.errors import InputError
from dl4j_bridge.signal.codecs import CLASSES


def inspect(
    features: Any,
    labels: Any = None,
    predicts: str | None = None,
    *,
    features_mask: Any = None,
    labels_mask: Any = None,
) -> list[Finding]:
    """Find what is wrong with batches that somebody's code makes.

    Parameters
    ----------
    features, labels
        Two NumPy arrays or two live ND4J arrays, [batch, classes, time]; or, as `features` alone, a DL4J ``DataSet`` or
        a ``DataSetIterator``, whose first batches are taken.
    predicts
        What the labels should be: ``target``, another recording at the same time; ``next``, the next sample of the
        features; None, either.
    features_mask, labels_mask
        NumPy arrays [batch, time], 0 where a step does not count. A ``DataSet`` brings its own.

    Returns
    -------
    list of Finding
        Empty for healthy batches.

    Raises
    ------
    InputError
        Not arrays of numbers with three axes, or features and labels of different lengths.

    Examples
    --------
    >>> import numpy as np
    >>> from dl4j_bridge.diagnostics import inspect
    >>> features = np.zeros((4, 256, 50), np.float32)
    >>> [finding.code for finding in inspect(features, features)]
    ['not-one-hot', 'not-one-hot']
    """
    if predicts not in (None, "target", "next"):
        raise InputError("predicts", predicts, "wanted target, next or None")
    read: dict[str, list[layout.Reading]] = {"features": [], "labels": []}
    for batch in read_batches(features, labels, features_mask, labels_mask):
        read["features"].append(layout.read("features", batch.features, batch.features_mask))
        read["labels"].append(layout.read("labels", batch.labels, batch.labels_mask))
    if not read["features"]:
        raise InputError("iterator", "no batches", "wanted at least one: hasNext() is false from the start")
    (of_features, x), (of_labels, y) = (_inspect_side(name, readings) for name, readings in read.items())
    findings = of_features + of_labels
    return findings + _inspect_pairs(x, y, predicts, silent=bool(findings))


def _inspect_side(name: str, readings: list[layout.Reading]) -> tuple[list[Finding], list[Indices]]:
    """Findings on the features or the labels alone, and their classes, fixed as far as possible."""
    findings: dict[str, Finding] = {}
    for reading in readings:
        if reading.finding:
            findings.setdefault(reading.finding.code, reading.finding)
    known = [reading.indices for reading in readings if reading.indices is not None]
    if len(known) < len(readings):
        return list(findings.values()), []
    if "axis-order" not in findings:
        swapped = layout.swapped_axes(name, known)
        if swapped:
            findings[swapped.code] = swapped
            known = [indices.T for indices in known]
    silent = silence.check(name, known)
    signed = None if silent or readings[0].classes != CLASSES else signed_bytes.check(name, known)
    if signed:
        known = [signed_bytes.as_signed(indices) for indices in known]
    return [*findings.values(), *filter(None, (silent, signed))], known


def _inspect_pairs(x: list[Indices], y: list[Indices], predicts: str | None, silent: bool) -> list[Finding]:
    """Findings between features and labels, and between the windows."""
    shapes = [(a.shape, b.shape) for a, b in zip(x, y, strict=False) if a.shape != b.shape]
    if shapes and not silent:
        wanted, found = shapes[0]
        raise InputError("labels", f"{found} windows x steps", f"wanted those of the features, {wanted}")
    shifted = shift.check(x, y, predicts) if x and y and not shapes else None
    repeated = overlap.check(x) if x else None
    return [finding for finding in (shifted, repeated) if finding]
