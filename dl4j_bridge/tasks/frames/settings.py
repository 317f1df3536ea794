"""Options of ``--task frames``."""

from dataclasses import dataclass

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.checks import FROM_0, Range, one_of, setting
from dl4j_bridge.settings.training import TaskSettings, TrainSettings

LONGEST_FRAME = 1 << 20


@dataclass(frozen=True)
class FramesSettings(TaskSettings):
    """Frames of samples as numbers."""

    frame: int = setting(
        1,
        "Samples in a frame, which is one time step.",
        Range(f"1 to {LONGEST_FRAME}", lambda v: 1 <= v <= LONGEST_FRAME),
    )
    loss: str = setting(
        "mse",
        "mse (mean squared error), or with frames of 1 esr (error-to-signal ratio with pre-emphasis, and offset).",
        one_of(["mse", "esr"]),
    )
    skip: bool = setting(False, "Add the input to the output: learn only the difference.")
    warm_up: int = setting(
        0, "With --loss esr: time steps at the start of a window that are left out of the loss.", FROM_0
    )
    input_noise: float = setting(
        0.0, "Without a target: standard deviation of noise on the training input; 1 is full range.", FROM_0
    )
    scheduled_sampling: float = setting(
        0.0,
        "Without a target: share of training inputs replaced by the network's own predictions.",
        Range("0 to 1", lambda v: 0 <= v <= 1),
    )

    @property
    def hop(self) -> int:
        return self.frame

    @property
    def width(self) -> int:
        return self.frame

    def check_with(self, settings: TrainSettings) -> None:
        if self.loss == "esr" and self.frame > 1:
            raise InputError("--loss", f"esr with --frame {self.frame}", "wanted --frame 1: it filters samples")
        if self.loss == "esr" and settings.network.layer == "stock":
            raise InputError("--loss", "esr with --layer stock", "wanted mse, which is all that stock DL4J has")
        pretrain = settings.small_data.pretrain
        if pretrain != "none" and self.skip:
            wanted = "wanted one of the two: the autoencoder adds no input to its output"
            raise InputError("--pretrain", f"{pretrain} with --skip", wanted)
