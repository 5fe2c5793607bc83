"""`aim`: finds the verb in a table, lets tyro read its flags, runs it."""

from __future__ import annotations

import contextlib
import difflib
import functools
import importlib
import inspect
import io
import itertools
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from aim import __version__, console


class Verb(NamedTuple):
    """One command: its words, the function that does it ("module:function"), what help says."""

    name: str
    where: str
    summary: str
    example: str


VERBS = (
    Verb("doctor", "aim.commands.doctor:doctor", "check this machine and say how to mend it", "aim doctor"),
    Verb("demo", "aim.commands.demo:demo", "generate, train, evaluate and report in miniature", "aim demo"),
    Verb("tasks", "aim.commands.tasks:tasks", "list the tasks", "aim tasks --json"),
    Verb(
        "task",
        "aim.commands.tasks:task",
        "show one task, with a picture",
        "aim task click_bell --robot aloha --seed 3 --png bell.png",
    ),
    Verb(
        "robot",
        "aim.commands.robot:robot",
        "check one robot, with a picture of its home posture and its reach",
        "aim robot ur5e --png ur5e.png",
    ),
    Verb(
        "object",
        "aim.commands.object:show_object",
        "show an object: frames, joints and grasps, with a picture",
        "aim object mug --seed 2 --png mug.png",
    ),
    Verb(
        "generate",
        "aim.commands.generate:generate",
        "record demonstrations with value maps",
        "aim generate --task click_bell open_laptop --num 50 --out datasets/two --workers 2",
    ),
    Verb("data info", "aim.commands.data:info", "say what a dataset holds", "aim data info datasets/two"),
    Verb("data verify", "aim.commands.data:verify", "check every episode of a dataset", "aim data verify datasets/two"),
    Verb(
        "train",
        "aim.commands.train:train",
        "train a model on a dataset",
        "aim train tiny --data datasets/two --out runs/two",
    ),
    Verb(
        "eval",
        "aim.commands.evaluate:evaluate",
        "closed-loop success with confidence intervals",
        "aim eval --policy expert --task click_bell --episodes 20 --out runs/expert",
    ),
    Verb(
        "imagine",
        "aim.commands.imagine:imagine",
        "imagined futures beside true ones",
        "aim imagine --policy runs/two --data datasets/held --out runs/imagined",
    ),
    Verb("report", "aim.commands.report:report", "one HTML page of a run", "aim report runs/two"),
    Verb("bench sim", "aim.commands.bench:sim", "physics steps a second a thread", "aim bench sim"),
    Verb("bench render", "aim.commands.bench:render", "pictures a second", "aim bench render --size 128x128"),
    Verb("bench generate", "aim.commands.bench:generate", "episodes an hour", "aim bench generate --workers 2"),
    Verb("bench infer", "aim.commands.bench_model:infer", "milliseconds a chunk", "aim bench infer nano --threads 1"),
    Verb("bench train", "aim.commands.bench_model:train", "training samples a second", "aim bench train nano"),
)

OPTIONS = """options of every verb:
  --help          flags, with an example
  --json          the last line of standard output is one JSON object; all else goes to standard error
  --plugins DIR   use the robots/, objects/, catalogue/ and predicates/ of a folder too; may be given several times,
                  as may folders in the environment variable AIM_PLUGINS
exit codes: 0 done, 1 a fault, 2 a mistake in the command, 130 interrupted"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in words
    words = [word for word in words if word != "--json"]
    if words == ["--version"]:
        print(__version__)
        return console.DONE
    words, plugin_folders = _split_plugins(words)
    if _asks_for_list(words):
        print(overview(words[:1] if words and not words[0].startswith("-") else []))
        return console.DONE
    return console.run(lambda: _run_verb(words, plugin_folders), as_json)


def _split_plugins(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split a command line into what is left of it and the folders of `--plugins DIR`, "" where DIR is missing."""
    rest, folders, remaining = [], [], iter(words)
    for word in remaining:
        option, equals, value = word.partition("=")
        if option == "--plugins":
            folders.append(value if equals else next(remaining, ""))
        else:
            rest.append(word)
    return rest, folders


@contextlib.contextmanager
def _use_plugins(folders: Sequence[str]) -> Iterator[None]:
    """Add plugin folders to AIM_PLUGINS, for this process and its workers; afterwards note the files left out."""
    from sim import registry
    from sim.types import UserError

    if "" in folders:
        raise UserError("--plugins needs a folder, as in --plugins DIR")
    before = os.environ.get(registry.PLUGINS_VARIABLE)
    paths = [str(registry.check_plugin_folder(Path(folder))) for folder in folders]
    if paths:
        os.environ[registry.PLUGINS_VARIABLE] = os.pathsep.join([*([before] if before else []), *paths])
    try:
        yield
    finally:
        for error in registry.list_import_errors():
            console.note(f"left out: {error}")
        if before is None:
            os.environ.pop(registry.PLUGINS_VARIABLE, None)
        else:
            os.environ[registry.PLUGINS_VARIABLE] = before


def _asks_for_list(words: Sequence[str]) -> bool:
    groups = {verb.name.split()[0] for verb in VERBS if " " in verb.name}
    bare = [word for word in words if word not in ("-h", "--help")]
    return not bare or (len(bare) == 1 and bare[0] in groups)


def overview(prefix: Sequence[str] = ()) -> str:
    """Return the help that lists the verbs, or those that begin with `prefix`."""
    verbs = [verb for verb in VERBS if verb.name.split()[: len(prefix)] == list(prefix)]
    width = max(len(verb.name) for verb in verbs)
    lines = [f"  {verb.name:{width}}  {verb.summary}" for verb in verbs]
    return "\n".join(["usage: aim VERB [flags]", "", *lines, "", f"example: {verbs[0].example}", "", OPTIONS])


def find(words: Sequence[str]) -> Verb:
    """Return the verb that `words` begin with; `UserError` naming the closest and all others."""
    for verb in VERBS:
        name = verb.name.split()
        if list(words[: len(name)]) == name:
            return verb
    from sim.types import UserError

    asked = " ".join(word for word in words[:2] if not word.startswith("-")) or "".join(words[:1])
    names = [verb.name for verb in VERBS]
    close = difflib.get_close_matches(asked, names, 1) or difflib.get_close_matches(words[0], names, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UserError(f"unknown verb {asked!r}; {hint}verbs: {', '.join(names)}")


def _run_verb(words: Sequence[str], plugin_folders: Sequence[str]) -> Mapping[str, object]:
    verb = find(words)
    with _use_plugins(plugin_folders):
        return _call(verb, words)


def _call(verb: Verb, words: Sequence[str]) -> Mapping[str, object]:
    module, _, function = verb.where.partition(":")
    action = vars(importlib.import_module(module))[function]
    import tyro

    from sim.types import UserError

    stderr, complaint = sys.stderr, io.StringIO()

    @functools.wraps(action)
    def run_action(*args: object, **options: object) -> Mapping[str, object]:
        with contextlib.redirect_stderr(stderr):  # only what tyro says is caught
            return action(*args, **options)

    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(
                run_action,
                prog=f"aim {verb.name}",
                description=f"{verb.summary[0].upper()}{verb.summary[1:]}.\n\nExample: {verb.example}\n\n"
                "--json: the last line of standard output is one JSON object.\n"
                "--plugins DIR: use the robots, objects and predicates of a plugin folder too.",
                args=list(words[len(verb.name.split()) :]),
            )
    except SystemExit as stop:
        if not (stop.code and complaint.getvalue()):
            raise
        options = (item for item in inspect.signature(action).parameters.values() if item.kind is item.KEYWORD_ONLY)
        flags = ", ".join(f"--{option.name.replace('_', '-')}" for option in options)
        raise UserError(f"{_join_complaint(complaint.getvalue())}; flags: {flags}") from None


def _join_complaint(text: str) -> str:
    """Return what tyro says of wrong flags in a box of several lines as one line, without its help on them."""
    lines = [re.sub(r"-{4,}", "", line).strip("│╭╮╰╯─+| ") for line in text.splitlines()[1:]]
    said = itertools.takewhile(lambda line: not line.startswith(("Argument helptext", "For full helptext")), lines)
    return "; ".join(" ".join(group) for filled, group in itertools.groupby(said, key=bool) if filled)


if __name__ == "__main__":
    sys.exit(main())
