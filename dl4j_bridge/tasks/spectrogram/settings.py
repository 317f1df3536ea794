"""Options of ``--task spectrogram``."""

from __future__ import annotations

from dataclasses import dataclass, field

from dl4j_bridge.settings.checks import check
from dl4j_bridge.settings.training import TaskSettings, TrainSettings

LONGEST_WINDOW = 1 << 16


@dataclass(frozen=True)
class SpectrogramSettings(TaskSettings):
    """Magnitudes of a mixture in, those of one of its stems out."""

    window: int = field(default=768, metadata={"help": "Samples in the window of a spectrum; an even number."})
    hop: int = field(default=192, metadata={"help": "Samples from one spectrum to the next, which is one time step."})
    mask: bool = field(
        default=False, metadata={"help": "Learn the stem's share of each magnitude instead of the magnitude."}
    )

    @property
    def width(self) -> int:
        return self.window // 2 + 1

    def check(self, settings: TrainSettings) -> None:
        wanted = f"an even number, 4 to {LONGEST_WINDOW}"
        check("window", self.window, wanted, lambda v: 4 <= v <= LONGEST_WINDOW and v % 2 == 0)
        longest = self.window // 2
        check("hop", self.hop, f"1 to {longest}, half of --window", lambda v: 1 <= v <= longest)
