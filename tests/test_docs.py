"""The pages say what the program does: every error is there, every option exists, every link leads somewhere."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer

import dl4j_bridge
from dl4j_bridge import cli, errors
from dl4j_bridge.signal import resampling
from tests.conftest import EXAMPLES

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "THIRD_PARTY.md", *DOCS.glob("*.md"), *DOCS.glob("lab/*.md")]
)
PACKAGE = Path(dl4j_bridge.__file__).parent
names = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)

# --- Troubleshooting: every error of the package has an entry of its own.

# Our own mistakes, which no input and no option brings about.
NOT_FOR_USERS = {"tensors.py"}
# All of the message comes from a value. The page has an example of each; nothing of it could be searched for.
ONLY_VALUES = {
    ("checks.py", "check"),
    ("toml_file.py", "_checked"),
    ("__init__.py", "get_codec"),
}
# Fewer letters than these say nothing.
LEAST_LETTERS = 8
# An entry is a list item: the message as code, which may wrap, and the fix on the lines below it.
ENTRY = re.compile(r"^- (`{1,2}) ?((?:[^\n]|\n(?!\n))+?) ?\1\\\n  (?=\S)", re.M)


@dataclass(frozen=True)
class Message:
    """An error as the source makes it: a pattern in which every value is `.*`."""

    file: str
    line: int
    function: str
    pattern: str

    @property
    def letters(self) -> int:
        text = re.sub(r"\\.|\.\*|wanted", "", self.pattern)
        return sum(c.isalpha() for c in text)


def messages(package: Path) -> Iterator[Message]:
    """Every BridgeError and InputError that is made, those made by a function that returns one included."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.py"))}
    kinds = {"BridgeError", "InputError"}
    for tree in trees.values():
        kinds |= {c.name for c in ast.walk(tree) if isinstance(c, ast.ClassDef) and {_name(b) for b in c.bases} & kinds}
    for path, tree in trees.items():
        constants = _constants(tree)
        functions = [f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef)]
        makers = {f.name: f for f in functions if f.returns is not None and _name(f.returns) in kinds}
        within = {id(node): f.name for f in functions for node in ast.walk(f)}
        for call in [node for node in ast.walk(tree) if isinstance(node, ast.Call)]:
            function = within.get(id(call), "")
            if _name(call.func) in makers:
                maker = makers[_name(call.func)]
                given = dict(zip((a.arg for a in maker.args.args), call.args, strict=True))
                made = next(n for n in ast.walk(maker) if isinstance(n, ast.Call) and _name(n.func) in kinds)
            elif _name(call.func) in kinds and function not in makers:
                given, made = {}, call
            else:
                continue
            assert len(made.args) == 3, f"{path.name}:{made.lineno}: give subject, found and wanted by position"
            subject, found, wanted = (_pattern(argument, constants | given) for argument in made.args)
            yield Message(path.relative_to(package).as_posix(), call.lineno, function, f"{subject}: {found}; {wanted}")


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """The texts that a module gives a name to."""
    named = [(a.targets[0], a.value) for a in tree.body if isinstance(a, ast.Assign) and len(a.targets) == 1]
    return {
        target.id: value
        for target, value in named
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _pattern(node: ast.expr, given: dict[str, ast.expr]) -> str:
    if isinstance(node, ast.Name) and node.id in given:
        return _pattern(given[node.id], {})
    if isinstance(node, ast.Constant):
        return re.escape(str(node.value))
    if isinstance(node, ast.JoinedStr):
        return "".join(_pattern(value, given) for value in node.values)
    return ".*"


def entries(page: str) -> list[str]:
    """The messages that have an entry in the page."""
    return [" ".join(text.split()) for _, text in ENTRY.findall(page)]


def undocumented(package: Path, page: str) -> list[Message]:
    documented = entries(page)
    return [
        message
        for message in messages(package)
        if Path(message.file).name not in NOT_FOR_USERS
        and (Path(message.file).name, message.function) not in ONLY_VALUES
        and (message.letters < LEAST_LETTERS or not any(re.fullmatch(message.pattern, entry) for entry in documented))
    ]


def test_every_error_is_in_troubleshooting():
    assert len(list(messages(PACKAGE))) > 90
    assert undocumented(PACKAGE, (DOCS / "troubleshooting.md").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        'raise InputError(path, "too loud", "wanted less")',
        'raise errors.BridgeError(path, f"{level} is too loud", f"wanted at most {most}")',
        "raise InputError(path, found, wanted)",
        'LESS = "wanted less"\nraise InputError(path, "too loud", LESS)',
        'class LoudError(InputError): pass\nraise LoudError("--gain", f"{level} dB", "wanted less of it")',
        'def loud(path, found) -> InputError:\n    return InputError(path, found, "wanted less")\nloud(p, "loud!")',
    ],
)
def test_a_new_error_must_be_documented(tmp_path, source):
    (tmp_path / "loud.py").write_text(source)
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    assert len(undocumented(tmp_path, page)) == 1


def test_the_page_has_no_message_that_the_program_does_not_give():
    made = list(messages(PACKAGE))
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    documented = entries(page[: page.index("## Anything else")])
    for entry in documented:
        # Only the option is known of a message about its value; lines that name the help are Click's.
        patterns = [m.pattern for m in made if m.letters >= LEAST_LETTERS or entry.startswith("--")]
        assert any(re.fullmatch(p, entry) for p in [*patterns, ".*; see: dl4j-bridge .*"]), entry
    assert len(documented) > 120


def test_every_entry_has_a_fix():
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    items = page[page.index("## Recordings") :]
    assert len(entries(items)) == len(re.findall(r"^- ", items, re.M))


def test_an_entry_may_wrap_its_message_and_needs_a_fix():
    item = "- `x.wav: found;\n  wanted y`"
    assert entries(f"{item}\\\n  Do this.\n") == ["x.wav: found; wanted y"]
    assert entries(f"{item}\n") == entries(f"{item}\\\n\n") == []


# --- Diagnostics: every finding has a section. That the overview has every code is tested beside the checks.


def test_every_finding_has_a_section():
    page = (DOCS / "diagnostics.md").read_text(encoding="utf-8")
    overview = re.findall(r"^\| `([a-z0-9-]+)` \| \[[^]]+\]\(#\1\) \|$", page, re.M)
    sections = re.findall(r"^### `([a-z0-9-]+)`\n(.*?)(?=^##)", page, re.S | re.M)
    assert len(overview) > 25
    assert [code for code, _ in sections] == overview
    for code, text in sections:
        assert "**Evidence**: " in text, code
        assert "**Fix**: " in text, code


def test_errors_are_one_class_with_three_parts():
    assert str(errors.InputError("--x", "found", "wanted y")) == "--x: found; wanted y"


# --- The command reference is generated.


def script_of(path: Path) -> Any:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def test_the_command_reference_is_up_to_date():
    script = script_of(DOCS / "make_commands.py")
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), "run: make docs"


# --- Commands in the pages.


def fenced(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in these languages; "" for those without one."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.S | re.M)
    return [text for language, text in blocks if language in languages]


def typed_commands(text: str) -> Iterator[list[str]]:
    """The words of each `dl4j-bridge` command in a text, its comment left out."""
    for line in text.replace("\\\n", " ").splitlines():
        if re.match(r"(\.venv/bin/)?dl4j-bridge |python -m dl4j_bridge ", line.strip()):
            words = shlex.split(line, comments=True)
            yield words[1:] if "dl4j-bridge" in words[0] else words[3:]


def wrong_words(words: list[str]) -> list[str]:
    """What the command line would not take."""
    root: Any = typer.main.get_command(cli.app)
    while words and words[0].startswith("-"):
        if words[0] not in _options(root):
            return words[:1]
        words = words[1 + _options(root)[words[0]] :]
    if not words:
        return []
    if words[0] not in root.commands:
        return words[:1]
    command = root.commands[words[0]]
    known = _options(command)
    wrong, arguments, rest = [], [], words[1:]
    while rest:
        word, *rest = rest
        name = word.partition("=")[0]
        if not re.match(r"-\D", word):
            arguments.append(word)
        elif name not in known:
            wrong.append(word)
        elif known[name] and "=" not in word:
            rest = rest[1:]
    takes = sum(p.param_type_name == "argument" for p in command.params)
    required = {p.opts[0] for p in command.params if p.param_type_name == "option" and p.required}
    return wrong + arguments[takes:] + sorted(required - {w.partition("=")[0] for w in words})


def _options(command: Any) -> dict[str, bool]:
    """Names of a command's options, and whether a value follows."""
    found = {"--help": False, "-h": False}
    for p in command.params:
        if p.param_type_name == "option":
            found |= dict.fromkeys([*p.opts, *p.secondary_opts], not (p.is_flag or getattr(p, "count", False)))
    return found


@names
def test_commands_in_the_pages_have_options_that_exist(page):
    for block in fenced(page, "", "sh"):
        for words in typed_commands(block):
            assert wrong_words(words) == [], (page.name, words)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("dl4j-bridge train --input a.wav --hiden 3", ["--hiden"]),
        ("dl4j-bridge trian --input a.wav", ["trian"]),
        ("dl4j-bridge process --model m --input a.wav", ["--output"]),
        ("dl4j-bridge info m n", ["n"]),
        ("dl4j-bridge --loud train", ["--loud"]),
        ("dl4j-bridge train --input a.wav --align -200   # early", []),
    ],
)
def test_a_wrong_command_in_a_page_is_noticed(line, wrong):
    assert [wrong_words(words) for words in typed_commands(line)] == [wrong]


def test_the_readme_leads_a_guitarist_to_frames():
    """Its first training with a target names the task for an amplifier, after the text that asks which one it is."""
    text = (ROOT / "README.md").read_text()
    first = re.search(r"^dl4j-bridge train .*--target.*$", text, re.M)
    assert "--task frames" in first.group()
    assert "amplifier" in text[: first.start()].rsplit("##", 1)[-1]


def test_make_targets_in_the_pages_exist():
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.M))
    for page in PAGES:
        used = re.findall(r"`make ([a-z][\w-]*)`", page.read_text(encoding="utf-8"))
        used += [
            target for block in fenced(page, "", "sh") for target in re.findall(r"^make ([a-z][\w-]*)", block, re.M)
        ]
        assert set(used) <= targets, page.name


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="the tutorial's commands are a shell's")
def test_the_tutorial_can_be_followed_word_for_word(tmp_path):
    """Behind its setting up: every block, in its order, on a recording with the tutorial's rate."""
    env = with_our_programs(tmp_path / "bin")
    voice, rate = soundfile.read(EXAMPLES / "speech_like.wav")
    soundfile.write(tmp_path / "dry.wav", resampling.resample(voice, rate, 8000), 8000, "PCM_16")
    setting_up = ("make setup", "mkdir")
    blocks = [b for b in fenced(DOCS / "tutorial.md", "sh") if not b.startswith(setting_up)]
    assert len(blocks) > 8
    for block in blocks:
        done = subprocess.run(
            ["bash", "-ec", block], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        # The pair that the tutorial makes comes late, and diagnose says so.
        late = "diagnose" in block and "--align off" in block
        assert done.returncode == (1 if late else 0), block + done.stdout + done.stderr
        assert ("misaligned" in done.stdout) == late
    assert soundfile.info(tmp_path / "voice-out.wav").frames == soundfile.info(tmp_path / "dry.wav").frames
    assert soundfile.info(tmp_path / "new.wav").frames == 5 * 8000
    heard, wanted = (soundfile.read(tmp_path / name)[0][1000:100_000] for name in ("voice-out.wav", "wet.wav"))
    assert np.sum((heard - wanted) ** 2) < 0.1 * np.sum(wanted**2)


def with_our_programs(folder: Path) -> dict[str, str]:
    """The environment with `dl4j-bridge` and `python` of this checkout."""
    folder.mkdir()
    for name, words in (("dl4j-bridge", "-m dl4j_bridge "), ("python", "")):
        (folder / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words}"$@"\n')
        (folder / name).chmod(0o755)
    return os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="the page's commands are a shell's")
def test_the_page_on_plug_ins_can_be_followed(tmp_path):
    """Every block in its order, with fewer steps; what installs and serves is left to the page's test in a browser."""
    pytest.importorskip("onnx")
    env = with_our_programs(tmp_path / "bin")
    (tmp_path / "examples" / "browser").mkdir(parents=True)
    dry = 0.2 * np.random.default_rng(1).standard_normal(44100)
    for name, sound in (("dry", dry), ("wet", np.tanh(3 * dry))):
        soundfile.write(tmp_path / f"{name}.wav", sound, 44100, "PCM_24")
    page = DOCS / "plugins.md"
    shell = re.sub(r"^python -m pip .*\n|^npm .*\n|^python -m http.*\n", "", "\n".join(fenced(page, "sh")), flags=re.M)
    shell, trainings = re.subn(r"--minutes 5$", "--steps 10 --batch 4 --length 600 --no-report", shell, flags=re.M)
    assert trainings == 2
    done = subprocess.run(["bash", "-ec", shell], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"amp.nam", "amp.json", "proteus.json", "check.wav"} <= {path.name for path in tmp_path.iterdir()}
    (tmp_path / "examples" / "browser" / "amp.onnx").rename(tmp_path / "amp.onnx")
    (block,) = fenced(page, "python")
    subprocess.run([sys.executable, "-c", block], cwd=tmp_path, env=env, check=True)
    found, wanted = (soundfile.read(tmp_path / name)[0] for name in ("processed.wav", "check.wav"))
    # The example writes 16 bits.
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_the_page_on_opening_networks_can_be_followed(their_networks, java, tmp_path, monkeypatch):
    shutil.copy(their_networks / "graves77.zip", tmp_path / "theirs.zip")
    shutil.copy(their_networks / "graph.zip", tmp_path / "two-inputs.zip")
    monkeypatch.chdir(tmp_path)
    blocks, names = fenced(DOCS / "opening-networks.md", "python"), {}
    assert len(blocks) > 5
    for block in blocks:
        exec(block, names)
    assert names["probabilities"].shape == (2, 77, 12)
    assert names["outputs"]["class"].shape == (3, 3)
    assert (tmp_path / "better.zip").exists()


# --- Links and notices.


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get: lower case, spaces to hyphens, punctuation left out."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))


@names
def test_links_lead_somewhere(page):
    for link in links(page):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"


def test_the_index_has_every_page():
    index = set(links(DOCS / "README.md"))
    assert {page.name for page in DOCS.glob("*.md")} - {"README.md"} <= index


def test_notices_name_every_jar_and_every_package():
    notices = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
    jars = json.loads((PACKAGE / "java" / "jars.lock.json").read_text())
    for group, artifact, version, *_ in (jar["coordinates"].split(":") for jar in jars):
        assert f"| `{group}:{artifact}` | {version} |" in notices
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    for dependency in [*project["dependencies"], *(d for extra in extras for d in extra)]:
        name = re.split(r"[^\w-]", dependency)[0]
        assert f"`{name}`" in notices
