"""Sizes and kinds of a network's input and output."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Interface:
    """Sizes and kinds of a network's input and output.

    Attributes
    ----------
    inputs, outputs : int
        Values per time step.
    input : {"one-hot", "dense"}
        ``one-hot``: the input is a class index, fed to the network as a one-hot vector. ``dense``: it is a vector.
    output : {"softmax", "linear", "sigmoid"}
        ``softmax`` is trained with cross-entropy against class indices, ``linear`` and ``sigmoid`` with squared error
        against vectors.
    skip : bool
        Whether the input is added to the output. Done in Python; the DL4J zip does not contain it.
    """

    inputs: int
    outputs: int
    input: str
    output: str
    skip: bool = False

    @staticmethod
    def of_classes(count: int) -> Interface:
        """Class indices as input, a distribution over the same number of classes as output."""
        return Interface(count, count, "one-hot", "softmax")

    @staticmethod
    def of_vectors(inputs: int, outputs: int, output: str = "linear", skip: bool = False) -> Interface:
        """Vectors as input and output."""
        return Interface(inputs, outputs, "dense", output, skip)
