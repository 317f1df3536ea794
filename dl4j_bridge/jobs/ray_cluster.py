"""Ray: tasks in processes of their own on one or many machines, which are started again where their process died."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dl4j_bridge.errors import BridgeError, InputError

# How often a task is started again after its process died: one that needs too much memory would never end.
RETRIES = 5
# Seconds that runs have to save after Ctrl-C.
SAVE_SECONDS = 120.0
# Ray gives a busy machine half a minute for the start of its processes.
STARTS = 3
# The address of this machine alone.
LOCAL = "local"


def require(command: str) -> None:
    """Check that Ray is installed.

    Raises
    ------
    InputError
        It is not; names the command or option that needs it.
    """
    # Ray would send statistics of its use to its makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray  # noqa: F401
    except ImportError:
        raise InputError(command, "needs ray, which is not installed", "run: pip install 'dl4j_bridge[ray]'") from None


@contextmanager
def connected(address: str, cores: int, option: str = "--cores-per-run") -> Iterator[int]:
    """Connect to Ray while the body runs.

    Ray starts its workers as new processes, so each has a Java of its own, for all tasks that it gets. Ray sets
    ``OMP_NUM_THREADS`` to the cores of a task there, which NumPy's products keep to.

    Parameters
    ----------
    address
        Address of a cluster; ``local`` starts one on this machine.
    cores
        Cores of a task.
    option
        The option that names them.

    Yields
    ------
    int
        Number of tasks that run at the same time.

    Raises
    ------
    InputError
        No machine has so many cores.
    BridgeError
        The cluster cannot be reached.
    """
    import ray

    on_termination = signal.getsignal(signal.SIGTERM)
    dashboard = False if address == LOCAL else None
    with _kept_handlers():
        for left in reversed(range(STARTS if address == LOCAL else 1)):
            try:
                ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, include_dashboard=dashboard)
                break
            except Exception as e:
                # Of no narrower class: a slow start and a wrong version are such, too.
                ray.shutdown()
                reason = " ".join(str(e).split())[:200]
                wanted = "wanted the address of a cluster that runs, such as 10.0.0.1:6379"
                if not left:
                    raise BridgeError(f"--cluster {address}", f"not reached ({reason})", wanted) from e
    if threading.current_thread() is threading.main_thread():
        # Ray would end this process at once; the command saves, as after Ctrl-C.
        signal.signal(signal.SIGTERM, on_termination)
    try:
        nodes = ray.nodes()  # type: ignore[no-untyped-call]
        machines = [int(node["Resources"].get("CPU", 0)) for node in nodes if node["Alive"]]
        if cores > max(machines):
            found = f"{cores}, more than any machine's {max(machines)}"
            raise InputError(option, found, "wanted at most that")
        yield sum(machine // cores for machine in machines)
    finally:
        with _kept_handlers():
            ray.shutdown()


@contextmanager
def _kept_handlers() -> Iterator[None]:
    """Keep this process's own handlers of faults, which Ray replaces at its start and removes at its end.

    Java makes its threads stop for a collection, and notices null references, by faults that its handlers expect: with
    others the process ends there sooner or later. A worker starts Java after Ray, and has Java's.
    """
    if os.name != "posix":
        yield
        return
    libc = ctypes.CDLL(None)
    kept = {}
    for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL):
        # Larger than a `struct sigaction` of any system.
        action = ctypes.create_string_buffer(512)
        if libc.sigaction(int(number), None, action) == 0:
            kept[number] = action
    try:
        yield
    finally:
        for number, action in kept.items():
            libc.sigaction(int(number), action, None)
