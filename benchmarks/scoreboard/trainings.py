"""Settings with which a network does not learn, given to the command as a user does; each case trains for a minute."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import soundfile

from dl4j_bridge.diagnostics.findings import Finding
from scoreboard.advice import outcome
from scoreboard.answers import Answer, blank, compare
from scoreboard.effects import through
from scoreboard.sounds import Sound

# A network that learns the identity in a hundred steps.
SMALL = {"hidden": "32", "batch": "8", "length": "200", "tbptt": "25", "learning-rate": "0.01"}
# Recordings in each half, and their effect.
RECORDINGS = ("strings", "speech-like", "drums-44k1", "speech-like-16k")
EFFECT = "soft"
OPTION = re.compile(r"--(learning-rate|init|clip|updater|neighbours)[ =]([\w.+-]+)")
LIMIT = 600


@dataclass(frozen=True)
class Setting:
    """Options that keep a network from learning; `also` are findings that are true besides."""

    name: str
    code: str
    strength: str
    options: dict[str, str]
    also: frozenset[str] = frozenset()

    @property
    def codes(self) -> frozenset[str]:
        """All findings that count as right."""
        return frozenset({self.code})


RMSPROP = {"updater": "rmsprop", "clip": "0"}
SGD = {"updater": "sgd"}
SETTINGS = [
    Setting("xavier", "weak-input-scale", "obvious", {"init": "xavier"}),
    Setting("high-rate", "learning-rate-too-high", "obvious", RMSPROP | {"learning-rate": "0.5"}),
    Setting("high-rate", "learning-rate-too-high", "middle", RMSPROP | {"learning-rate": "0.2"}),
    Setting("low-rate", "learning-rate-too-low", "obvious", {"learning-rate": "1e-6"}),
    Setting("low-rate", "learning-rate-too-low", "middle", {"learning-rate": "1e-5"}),
    Setting("exploding", "non-finite", "obvious", SGD | {"learning-rate": "1e30", "clip": "0"}),
    Setting("clipped-away", "stuck-at-uniform", "obvious", SGD | {"clip": "1e-9"}),
]


@dataclass(frozen=True)
class Training:
    """A case: a recording and settings; None for healthy ones."""

    sound: Sound
    setting: Setting | None = None

    @property
    def name(self) -> str:
        """``training/recording``, followed by the name and the strength of the fault."""
        name = f"training/{self.sound.name}/{EFFECT}"
        return f"{name}/{self.setting.name}@{self.setting.strength}" if self.setting else name

    @property
    def words(self) -> set[str]:
        """What `--only` may name."""
        planted = (
            {self.setting.name, self.setting.code, self.setting.strength} if self.setting else {"healthy-training"}
        )
        return planted | {"training"}

    def answer(self, keep: Path | None = None, advice: bool = False) -> Answer:
        """Run `diagnose --quick`, and once more with the options of the fix."""
        settings = [self.setting] if self.setting else []
        about = self.name, self.sound, EFFECT, settings, self.setting.strength if self.setting else ""
        options = SMALL | (self.setting.options if self.setting else {})
        began = time.perf_counter()
        try:
            findings = self._diagnose(options)
        except (subprocess.SubprocessError, ValueError) as e:
            return replace(blank(*about), error=f"{type(e).__name__}: {e}", missed=blank(*about).wanted)
        answer = compare(*about, findings, time.perf_counter() - began)
        if not (advice and findings and findings[0].command):
            return answer
        fixed = SMALL | dict(OPTION.findall(findings[0].command))
        after = tuple(finding.code for finding in self._diagnose(fixed))
        return replace(answer, advice={findings[0].code: outcome(findings[0].code, answer.found, after)})

    def _diagnose(self, options: dict[str, str]) -> list[Finding]:
        x, rate = self.sound.samples(), self.sound.rate
        with TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "dl4j_bridge", "diagnose", "--quick", "--json", "--out", f"{folder}/out"]
            for side, samples in (("input", x), ("target", through(EFFECT, x, rate))):
                path = f"{folder}/{side}.wav"
                soundfile.write(path, samples, rate, subtype="PCM_16")
                command += [f"--{side}", path]
            command += [word for name, value in options.items() for word in (f"--{name}", value)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
        if done.returncode > 1:
            raise ValueError(done.stderr.strip().splitlines()[-1])
        found = json.loads(done.stdout.strip().splitlines()[-1])["findings"]
        shown = ("code", "severity", "fix", "evidence", "command")
        return [Finding(**{name: each[name] for name in shown}) for each in found]


def cases(sounds: list[Sound]) -> Iterator[Training]:
    """Healthy settings and each faulty one on two recordings of each half."""
    for sound in sounds:
        if sound.name in RECORDINGS:
            yield Training(sound)
            for setting in SETTINGS:
                yield Training(sound, setting)
