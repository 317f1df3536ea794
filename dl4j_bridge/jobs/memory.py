"""An estimate of the memory that a training takes, before it is taken."""

from dl4j_bridge.errors import InputError
from dl4j_bridge.java import jvm
from dl4j_bridge.java.interface import Interface
from dl4j_bridge.reference.parameters import layout
from dl4j_bridge.settings.training import TrainSettings

# Arrays of the size of the parameters: themselves, their gradient, and the state of the updater.
_COPIES = 3
# Values for each unit and sample of a segment: four gates, their gradients, the cell state and the output.
_VALUES = 10


def check(settings: TrainSettings, interface: Interface) -> None:
    """Refuse a training that does not fit into the memory of this machine.

    Raises
    ------
    InputError
        Names the memory that is needed at least, and what the machine has.
    """
    needed, present = least_bytes(settings, interface), jvm.memory_bytes()
    if needed > present:
        found = f"this network and batch need {needed / 1e9:.3g} GB; this machine has {present / 1e9:.3g}"
        raise InputError("memory", found, "wanted a smaller --hidden, --layers, --batch or --tbptt")


def least_bytes(settings: TrainSettings, interface: Interface) -> int:
    """Return the number of bytes that the arrays of a training step take at least."""
    network = settings.network
    sizes = layout(interface.inputs, network.hidden, network.layers, interface.outputs, network.cell)
    samples = settings.run.batch * min(network.tbptt, settings.run.length)
    values = _VALUES * network.layers * network.hidden + interface.inputs + 2 * interface.outputs
    return 4 * int(_COPIES * sizes["output/b"][0].stop + samples * values)
