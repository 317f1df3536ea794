"""Does a network learn once the advice was followed? It trains on the fixed pair and must beat a copy of the input."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from dl4j_bridge.settings.checks import option
from dl4j_bridge.signal.pairs import part_of, without_delay
from scoreboard.advice import followed
from scoreboard.answers import Answer, blank, compare
from scoreboard.cases import Planted, diagnose, stored
from scoreboard.faults import BY_NAME
from scoreboard.sounds import Sound
from scoreboard.take import Take
from scoreboard.trainings import LIMIT, SMALL

STEPS = 300
RECORDINGS = ("strings", "speech-like-16k")
EFFECT = "soft"
# Faults that an option or the evidence fixes.
FIXED = ("late", "lead", "clock", "shorter", "quiet-target", "offset-target", "too-quiet", "inverted")


@dataclass(frozen=True)
class Retrained:
    """A case of pairs, trained after its advice was followed."""

    pair: Planted

    @property
    def name(self) -> str:
        """``retrained/`` and the name of the pair."""
        return f"retrained/{self.pair.name}"

    @property
    def sound(self) -> Sound:
        return self.pair.sound

    @property
    def words(self) -> set[str]:
        """What `--only` may name."""
        return {"training", "retrained", *(each.name for each in self.pair.faults)}

    def answer(self, keep: Path | None = None, advice: bool = False) -> Answer:
        """Diagnose, follow the advice, train, and compare the network with a copy of the input."""
        pair = self.pair
        about = self.name, pair.sound, pair.effect, pair.faults, "retrained"
        take = pair.take()
        assert take is not None
        began = time.process_time()
        findings = diagnose(take)
        answer = compare(*about, findings, time.process_time() - began)
        right = [finding for finding in findings if finding.code in pair.faults[0].codes]
        fixed = followed(right[0], take) if right else None
        if fixed is None:
            return answer
        try:
            errors = _trained(fixed)
        except (subprocess.SubprocessError, ValueError) as e:
            return replace(blank(*about), error=f"{type(e).__name__}: {e}")
        better = errors["model"] < errors["copy"]
        shown = ", ".join(f"{name} {value:.4f}" for name, value in errors.items())
        return replace(answer, advice={right[0].code: "gone" if better else f"ESR of {shown}"})


def _trained(take: Take) -> dict[str, float]:
    """ESR of a small network, and of a copy of the input, on the validation part."""
    with TemporaryDirectory() as folder:
        case = stored(take, Path(folder))
        options = {f"--{name}": value for name, value in SMALL.items()} | {"--steps": STEPS, "--out": f"{folder}/run"}
        options |= {"--input": case.input, "--target": case.target}
        options |= {option(name): value for name, value in take.options.items()}
        command = [sys.executable, "-m", "dl4j_bridge", "train", "--json", "--no-report"]
        command += [str(word) for item in options.items() for word in item]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
        if done.returncode:
            raise ValueError(done.stderr.strip().splitlines()[-1])
        model = json.loads(done.stdout.strip().splitlines()[-1])["valid"]["esr"]
        x, y = (part[part_of(case.length, "valid")] for part in without_delay(case.x, case.y, case.cut))
    return {"model": float(model), "copy": float(np.sum((y - x) ** 2) / np.sum(y**2))}


def cases(sounds: list[Sound]) -> Iterator[Retrained]:
    """Each fault that can be fixed, in one recording of each half."""
    for sound in sounds:
        if sound.name in RECORDINGS:
            for name in FIXED:
                yield Retrained(Planted(sound, EFFECT, (BY_NAME[name],), "obvious"))
