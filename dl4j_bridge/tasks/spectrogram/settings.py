"""Options of ``--task spectrogram``."""

from dataclasses import dataclass

from dl4j_bridge.settings.checks import Range, check, setting
from dl4j_bridge.settings.training import TaskSettings

LONGEST_WINDOW = 1 << 16


@dataclass(frozen=True)
class SpectrogramSettings(TaskSettings):
    """Magnitudes of a mixture in, those of one of its stems out."""

    window: int = setting(
        768,
        "Samples in the window of a spectrum; an even number.",
        Range(f"an even number, 4 to {LONGEST_WINDOW}", lambda v: 4 <= v <= LONGEST_WINDOW and v % 2 == 0),
    )
    hop: int = setting(192, "Samples from one spectrum to the next, which is one time step.")
    mask: bool = setting(False, "Learn the stem's share of each magnitude instead of the magnitude.")

    @property
    def width(self) -> int:
        return self.window // 2 + 1

    def check(self) -> None:
        super().check()
        longest = self.window // 2
        check("hop", self.hop, Range(f"1 to {longest}, half of --window", lambda v: 1 <= v <= longest))
