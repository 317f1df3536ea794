"""Generates text with a character network that a Java program trained, and trains it further.

The network is that of DL4J's examples ("GravesLSTMCharModellingExample"), or any other recurrent one with a softmax:
an input and an output for each character. 77 classes are the example's minimal set, 256 are bytes; for others, give
a file with the characters in the network's order.

    python examples/char_rnn.py theirs.zip --prime "The " --characters 200
    python examples/char_rnn.py theirs.zip --train play.txt --save better.zip
"""

from __future__ import annotations

import argparse
import string
from pathlib import Path

import numpy as np
import numpy.typing as npt

import dl4j_bridge

# CharacterIterator.getMinimalCharacterSet() of DL4J's examples.
MINIMAL = string.ascii_lowercase + string.ascii_uppercase + string.digits + "!&()?-'\",.:; \n\t"
BATCH, LENGTH = 32, 200


def alphabet(classes: int, file: Path | None = None) -> str:
    """Return the characters by class."""
    if file:
        found = file.read_text(encoding="utf-8")
    else:
        found = {77: MINIMAL, 256: "".join(map(chr, range(256)))}.get(classes, "")
    if len(found) != classes:
        raise SystemExit(f"{len(found)} characters for {classes} classes; give them in --alphabet FILE")
    return found


def one_hot(indices: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.float32]:
    """Return [batch, classes, time] for indices of shape [batch, time]."""
    return np.eye(classes, dtype=np.float32)[indices].transpose(0, 2, 1)


def generate(
    network: dl4j_bridge.OpenedNetwork, characters: str, prime: str, count: int, temperature: float, seed: int
) -> str:
    """Feed `prime` to the network, then sample one character after the other and feed it back."""
    random, written = np.random.default_rng(seed), []
    index = {character: number for number, character in enumerate(characters)}
    network.clear_state()
    # All of the beginning in one call; the last time step predicts the first new character.
    start = np.array([[index[character] for character in prime]])
    probabilities = np.asarray(network.step(one_hot(start, len(characters))))[0, :, -1]
    for _ in range(count):
        weights = probabilities.astype(np.float64) ** (1 / temperature)
        chosen = random.choice(len(characters), p=weights / weights.sum())
        written.append(characters[chosen])
        probabilities = np.asarray(network.step(np.eye(1, len(characters), chosen)))[0]
    return "".join(written)


def train(network: dl4j_bridge.OpenedNetwork, characters: str, text: str, batches: int, seed: int) -> float:
    """Train on excerpts of a text; return DL4J's score of the last segment of the last batch."""
    index = {character: number for number, character in enumerate(characters)}
    classes = np.array([index[character] for character in text if character in index])
    random, score, length = np.random.default_rng(seed), 0.0, min(LENGTH, len(classes) - 1)
    for _ in range(batches):
        starts = random.integers(0, len(classes) - length, BATCH)
        excerpts = classes[starts[:, None] + np.arange(length + 1)]
        x, y = (one_hot(part, len(characters)) for part in (excerpts[:, :-1], excerpts[:, 1:]))
        score = network.fit(x, y)
    return score


def main() -> None:
    parser = argparse.ArgumentParser(description="Generate text with a character network of a Java program.")
    parser.add_argument("network", type=Path)
    parser.add_argument("--alphabet", type=Path, help="file with the characters in the network's order")
    parser.add_argument("--prime", default="The ", help="beginning of the text")
    parser.add_argument("--characters", type=int, default=300, help="number of characters to generate")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--train", type=Path, metavar="TEXT", help="train on this text first")
    parser.add_argument("--batches", type=int, default=10)
    parser.add_argument("--save", type=Path, metavar="ZIP", help="where to write the trained network")
    given = parser.parse_args()

    network = dl4j_bridge.open_network(given.network)
    characters = alphabet(network.layers[-1].outputs or 0, given.alphabet)
    if given.train:
        text = given.train.read_text(encoding="utf-8")
        print(f"score: {train(network, characters, text, given.batches, given.seed):.2f}")
        if given.save:
            network.save(given.save)
    print(given.prime + generate(network, characters, given.prime, given.characters, given.temperature, given.seed))


if __name__ == "__main__":
    main()
