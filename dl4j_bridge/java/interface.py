"""Sizes and kinds of a network's input and output."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Interface:
    """Sizes and kinds of a network's input and output.

    Attributes
    ----------
    inputs, outputs
        Values at a time step.
    input
        ``one-hot``: the input is a class index, of which the network sees a one-hot vector. ``dense``: a vector.
    output
        ``softmax`` with cross-entropy against class indices, or ``linear`` or ``sigmoid`` with squared error against
        vectors.
    skip
        True adds the input to the output. DL4J's zip knows nothing of it.
    """

    inputs: int
    outputs: int
    input: str
    output: str
    skip: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def of_classes(count: int) -> Interface:
        """Class indices in, a distribution over as many classes out."""
        return Interface(count, count, "one-hot", "softmax")

    @staticmethod
    def of_vectors(inputs: int, outputs: int, output: str = "linear", skip: bool = False) -> Interface:
        """Vectors in, vectors out."""
        return Interface(inputs, outputs, "dense", output, skip)
