"""What a user should know before a training: that another task suits better, or that something looks mistaken."""

from dl4j_bridge.diagnostics.case import Case
from dl4j_bridge.diagnostics.recordings import swapped
from dl4j_bridge.errors import InputError
from dl4j_bridge.jobs import typed
from dl4j_bridge.settings.training import TrainSettings
from dl4j_bridge.signal.pairs import Pair
from dl4j_bridge.tasks import registry
from dl4j_bridge.tasks.interface import Task

# Settings of the present task that the command for another one keeps.
_KEPT = ("rate", "channel", "align", "steps", "epochs", "minutes")
# Number of pairs that are examined for swapped files, which takes about half a second each.
_EXAMINED = 2


def check_predict(settings: TrainSettings, has_target: bool) -> None:
    """Refuse a forgotten target where what comes next is learned only if it is asked for by name.

    Raises
    ------
    InputError
        That, or `predict` is not what the recordings allow.
    """
    task, predict = settings.network.task, settings.data.predict
    if predict == "next" and has_target:
        raise InputError("--predict", "next with --target", "wanted one of the two")
    if predict == "target" and not has_target:
        raise InputError("--predict", "target without --target", "wanted the processed recording: --target B.wav")
    if predict is None and not has_target and registry.find(task).next_by_name:
        wanted = "wanted the processed recording to learn an effect, or --predict next to learn what comes next"
        raise InputError("--target", f"not given with --task {task}", wanted)


def notes(task: Task, pairs: list[Pair], settings: TrainSettings) -> list[str]:
    """What is learned if no target was given, and which task suits better."""
    if task.predicts == "next":
        by_name = settings.data.predict is not None or registry.find(task.name).with_target is None
        return [] if by_name else ["no --target: learns to generate; to learn an effect, add --target PROCESSED.wav"]
    better = better_training(task, pairs, settings)
    found = f"{pairs[0].input.path}: {pairs[0].rate} Hz and more than 8 bits, but --task {task.name} keeps 8 bits"
    return [f"{found}; for an amplifier or a pedal: {better}"] if better else []


def better_training(task: Task, pairs: list[Pair], settings: TrainSettings) -> str | None:
    """The command that trains with the task that suits these recordings better; None if there is none."""
    better = task.better_task(pairs, settings)
    if better is None:
        return None
    given = settings.as_options()
    kept = {name: given[name] for name in _KEPT if given[name] is not None}
    inputs, targets = [p.input.path for p in pairs], [p.target.path for p in pairs if p.target]
    return typed.training(inputs, targets, registry.train_settings({"task": better} | kept, bool(targets)))


def warnings(pairs: list[Pair], settings: TrainSettings) -> list[str]:
    """Pairs whose two files look exchanged, with the evidence and the command for the other order."""
    found = []
    for pair in pairs[:_EXAMINED]:
        if pair.target is None:
            continue
        case = Case.of_start(pair, settings)
        if not swapped.is_swapped(case):
            continue
        (finding,) = swapped.check(case).findings
        dry, wet = pair.input.path, pair.target.path
        text = f"{dry} and {wet} look swapped ({'; '.join(finding.facts)}); wanted the dry one as --input"
        found.append(f"{text}: {typed.training([wet], [dry], settings)}")
    return found
