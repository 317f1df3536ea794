"""Options of ``--task frames``."""

from __future__ import annotations

from dataclasses import dataclass, field

from dl4j_bridge.errors import InputError
from dl4j_bridge.settings.checks import check, check_choice
from dl4j_bridge.settings.training import TaskSettings, TrainSettings

LOSSES = ("mse", "esr")
LONGEST_FRAME = 1 << 20


@dataclass(frozen=True)
class FramesSettings(TaskSettings):
    """Frames of samples as numbers."""

    frame: int = field(default=1, metadata={"help": "Samples in a frame, which is one time step."})
    loss: str = field(
        default="mse",
        metadata={
            "help": "mse (mean squared error), or with frames of 1 esr (error-to-signal ratio with pre-emphasis, "
            "and offset)."
        },
    )
    skip: bool = field(default=False, metadata={"help": "Add the input to the output: learn only the difference."})
    warm_up: int = field(
        default=0,
        metadata={"help": "With --loss esr: time steps at the start of a window that are left out of the loss."},
    )
    input_noise: float = field(
        default=0.0,
        metadata={"help": "Without a target: standard deviation of noise on the training input; 1 is full range."},
    )
    scheduled_sampling: float = field(
        default=0.0,
        metadata={"help": "Without a target: share of training inputs replaced by the network's own predictions."},
    )

    @property
    def hop(self) -> int:
        return self.frame

    @property
    def width(self) -> int:
        return self.frame

    def check(self, settings: TrainSettings) -> None:
        check("frame", self.frame, f"1 to {LONGEST_FRAME}", lambda v: 1 <= v <= LONGEST_FRAME)
        check("warm_up", self.warm_up, "0 or more", lambda v: v >= 0)
        check_choice("loss", self.loss, LOSSES)
        check("input_noise", self.input_noise, "0 or more", lambda v: v >= 0)
        check("scheduled_sampling", self.scheduled_sampling, "0 to 1", lambda v: 0 <= v <= 1)
        if self.loss == "esr" and self.frame > 1:
            raise InputError("--loss", f"esr with --frame {self.frame}", "wanted --frame 1: it filters samples")
        if self.loss == "esr" and settings.network.layer == "stock":
            raise InputError("--loss", "esr with --layer stock", "wanted mse, which is all that stock DL4J has")
        pretrain = settings.small_data.pretrain
        if pretrain != "none" and self.skip:
            wanted = "wanted one of the two: the autoencoder adds no input to its output"
            raise InputError("--pretrain", f"{pretrain} with --skip", wanted)
