"""Start-up time: from the start of Python to an initialized network of 2 x 200, ours against the plain way.

Usage: python benchmarks/startup.py [--quick] [--json]

The plain way is a program that uses only NumPy, pyjnius and DL4J: the same jars, no JVM options, and the same network
from DL4J's own builder. Ours is `jvm.configure` and `Network.create`, with and without the class-data archive. The time
starts with a new Python process and ends when the network is initialized.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

import rounds
from rounds import Result

ROUNDS, QUICK_ROUNDS = 15, 7
PLAIN, OURS, NO_ARCHIVE = "plain", "ours", "ours, no archive"

OUR_WAY = """
from dl4j_bridge.java import jvm
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.java.network import Network
from dl4j_bridge.java.interface import Interface
jvm.configure(2, "cpu")
Network.create(TrainSettings().network, Interface.of_classes(256))
"""
THE_PLAIN_WAY = """
import numpy
import jnius_config
jnius_config.set_classpath(*CLASS_PATH)
from jnius import autoclass
conf = "org.deeplearning4j.nn.conf."
Lstm, Output = autoclass(conf + "layers.GravesLSTM$Builder"), autoclass(conf + "layers.RnnOutputLayer$Builder")
Builder = autoclass(conf + "NeuralNetConfiguration$Builder")
Activation = autoclass("org.nd4j.linalg.activations.Activation")
Adam = autoclass("org.nd4j.linalg.learning.config.Adam")
Loss = autoclass("org.nd4j.linalg.lossfunctions.LossFunctions$LossFunction")
layers = Builder().updater(Adam(0.01)).list()
for inputs in (256, 200):
    layers = layers.layer(Lstm().nIn(inputs).nOut(200).activation(Activation.TANH).build())
layers = layers.layer(Output(Loss.MCXENT).nIn(200).nOut(256).activation(Activation.SOFTMAX).build())
autoclass("org.deeplearning4j.nn.multilayer.MultiLayerNetwork")(layers.build()).init()
"""
READY = "\nprint('ready', flush=True)\n"


def main() -> None:
    asked = rounds.options(__doc__).parse_args()
    result = Result()
    rounds.note_a_busy_machine(result.notes)
    sides = _sides()
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range((QUICK_ROUNDS if asked.quick else ROUNDS) + 1):
        for name in list(sides)[:: 1 if number % 2 == 0 else -1]:
            took = start(*sides[name])
            # The first round is not measured; it loads the files into memory.
            if number:
                seconds[name].append(took)
        rounds.stderr.print(f"round {number}: " + ", ".join(f"{n} {s[-1]:.2f} s" for n, s in seconds.items() if s))
    for name, measured in seconds.items():
        ratio = statistics.median(plain / our for plain, our in zip(seconds[PLAIN], measured, strict=True))
        if name != PLAIN:
            result.ratios[f"{PLAIN}/{name}"] = ratio
        result.rows.append({"side": name, "seconds": statistics.median(measured), "ratio": ratio})
    rounds.show("start-up", result, {"side": "side", "seconds": "seconds", "ratio": "plain / this"}, asked.json)


def start(code: str, environment: dict[str, str]) -> float:
    """Return the seconds from the start of a Python process until it prints that it is ready."""
    time.sleep(rounds.PAUSE)
    began = time.perf_counter()
    command = [sys.executable, "-c", code + READY]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=os.environ | environment, **pipes) as process:  # type: ignore[call-overload]
        line = process.stdout.readline()
        took = time.perf_counter() - began
        errors = process.communicate()[1]
    if line != "ready\n":
        raise SystemExit(f"error: a side ended: {errors}")
    return took


def _sides() -> dict[str, tuple[str, dict[str, str]]]:
    from dl4j_bridge.java import jars, jvm

    jvm.prepare()
    # The plain way does not have our jar.
    class_path = [str(path) for path in jars.class_path()[1:]]
    return {
        PLAIN: (f"CLASS_PATH = {class_path!r}{THE_PLAIN_WAY}", {}),
        OURS: (OUR_WAY, {}),
        NO_ARCHIVE: (OUR_WAY, {"DL4J_BRIDGE_ARCHIVE": "0"}),
    }


if __name__ == "__main__":
    main()
