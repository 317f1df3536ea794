"""What the network's state is worth."""

from dl4j_bridge.diagnostics.criteria import Criterion
from dl4j_bridge.diagnostics.findings import Outcome
from dl4j_bridge.java.network import Network
from dl4j_bridge.signal.pairs import Stretch
from dl4j_bridge.tasks.interface import Signal

# Time steps after a border that are measured.
HEAD = 50


def memory(
    criterion: Criterion,
    network: Network,
    stretch: Stretch,
    outputs: Signal,
    chunk: int = 1000,
    first: int = 0,
    names: tuple[str, str, str] = ("bits_carried", "bits_dropped", "samples"),
) -> Outcome:
    """How much worse the first time steps after a border are if the state is dropped there; figures, no verdict.

    Parameters
    ----------
    criterion
        How the network is measured.
    network
        A trained network.
    stretch
        Input and target.
    outputs : ndarray, shape (n, width)
        The network's output for the stretch, with its state carried.
    chunk
        Time steps from one border to the next.
    first
        First chunk that counts.
    names
        Names of the figures: state carried, state dropped, and the number of time steps.
    """
    x, y = stretch
    count, head = len(x) // chunk, min(HEAD, chunk)
    if count <= first:
        return Outcome()

    def heads(signal: Signal) -> Signal:
        return signal[: count * chunk].reshape(count, chunk, *signal.shape[1:])[first:, :head]

    dropped = network.run_batch(heads(x))
    errors = (criterion.error(found, heads(y)) for found in (heads(outputs), dropped))
    return Outcome([], dict(zip(names, (*errors, head), strict=True)))
