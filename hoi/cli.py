"""`python -m hoi STAGE --name value ...`: one command a stage, its flags those of the stage's function.

Every stage is the function of its name in `hoi/stages/NAME.py`. A Path is a path, a settings section or a clips row is JSON,
a list takes several values, or for paths `@FILE`, which has one a line: a command line does not hold 100,000. Bad input ends
with exit status 2 and the error's text alone. A clip whose data do not allow the stage (DataFailure) ends well: the reason is
written into the stage's outputs, with the path given as `--log`, if any.
"""

import argparse
import importlib
import inspect
import sys
import time
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from hoi.artefacts import Output, Product, write_failure
from hoi.errors import DataFailure, InputError
from hoi.records import Made, records_asked_for

STAGES = (
    "prior_data",
    "train_prior",
    "prior_memory",
    "mask_data",
    "train_masks",
    "prepare_clip",
    "track_hand",
    "mask_clip",
    "fit_clip",
    "show_clip",
    "score_clip",
    "make_table",
    "make_figure",
    "report_clip",
    "make_report",
)
COMMANDS = {  # functions of modules beside this one, and the module of each
    "summary": "summary",
    "failures": "summary",
    "score": "score",
    "view": "view",
    "provenance": "records",
    "own_clip": "own_clip",
}


def stage_function(name: str) -> Callable[..., None]:
    """The function of a stage or another command; its module is imported only now."""
    return getattr(importlib.import_module(f"hoi.{COMMANDS.get(name, f'stages.{name}')}"), name)


def parser_of(stage: Callable[..., None]) -> argparse.ArgumentParser:
    """Flags from the stage's signature; a parameter that is positional there is so here."""
    parser = argparse.ArgumentParser(prog=f"python -m hoi {stage.__name__}", description=inspect.getdoc(stage))
    for name, kind in _parameters(stage).items():
        if name in _positional(stage):
            parser.add_argument(name, type=_reader(kind))
            continue
        many = typing.get_origin(kind) is list
        default = inspect.signature(stage).parameters[name].default
        required = default is inspect.Parameter.empty
        parser.add_argument(
            f"--{name}",
            required=required,
            default=None if required else default,
            nargs="*" if many else None,
            type=_reader(kind),
        )
    return parser


def _parameters(stage: Callable[..., None]) -> dict[str, Any]:
    hints = typing.get_type_hints(stage, include_extras=True)
    return {name: hints[name] for name in inspect.signature(stage).parameters}


def _positional(stage: Callable[..., None]) -> list[str]:
    parameters = inspect.signature(stage).parameters.items()
    return [name for name, parameter in parameters if parameter.kind is inspect.Parameter.POSITIONAL_ONLY]


def _reader(kind: Any) -> Callable[[str], Any]:
    if kind in (Output, Product):
        return Path
    if type(None) in typing.get_args(kind):
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) is list:
        return typing.get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return lambda text: _model(kind, text)
    return kind


def _model(kind: type[BaseModel], text: str) -> BaseModel:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or kind.__name__
        raise argparse.ArgumentTypeError(
            f"{key}: found {first['input']!r}: {first['msg']}; correct the JSON"
        ) from error


def _run(stage: Callable[..., None], words: Sequence[str]) -> None:
    """Run a stage; what its data do not allow is recorded in its outputs."""
    parser = parser_of(stage)
    parser.add_argument("--log", help="where messages go: named in a recorded failure")
    given = vars(parser.parse_args(words))
    kinds = _parameters(stage)
    values = {name: _listed(given[name]) if kind == list[Path] else given[name] for name, kind in kinds.items()}
    positional = [values.pop(name) for name in _positional(stage)]
    records = records_asked_for() if stage.__name__ in STAGES else None
    if records is None:
        _or_failure(stage, positional, values, given["log"])
        return
    started, made = time.time(), _made(stage, values)
    inputs = records.check(made.inputs)
    failure = _or_failure(stage, positional, values, given["log"])
    records.write(made, inputs, started, failure)


def _made(stage: Callable[..., None], values: dict[str, Any]) -> Made:
    """What a stage reads and writes, and its settings, by the types of its parameters."""
    kinds = _parameters(stage)
    written = [values[name] for name, kind in kinds.items() if kind in (Output, Product)]
    read = [path for name, kind in kinds.items() if kind in (Path, list[Path]) for path in _as_list(values[name])]
    settings = {name: value for name, value in values.items() if kinds[name] not in (Output, Product, Path, list[Path])}
    plain = {n: v.model_dump(mode="json") if isinstance(v, BaseModel) else v for n, v in settings.items()}
    return Made(stage.__name__, plain, read, written)


def _listed(paths: list[Path]) -> list[Path]:
    """Paths as given; for one `@FILE` alone, those that the file has, one a line."""
    if not paths or len(paths) > 1 or not str(paths[0]).startswith("@"):
        return paths
    try:
        return [Path(line) for line in Path(str(paths[0])[1:]).read_text(encoding="utf-8").splitlines() if line]
    except (OSError, ValueError) as error:
        raise InputError(paths[0], str(error), "a file with a path a line", "correct its name") from error


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _or_failure(
    stage: Callable[..., None], positional: list[Any], values: dict[str, Any], log: str | None
) -> str | None:
    """Run a stage; a failure of its data is written into its outputs and told, and the reason returned."""
    try:
        stage(*positional, **values)
        return None
    except DataFailure as failure:
        outputs = [values[name] for name, kind in _parameters(stage).items() if kind == Output]
        if not outputs:
            raise
        failure.stage, failure.log = failure.stage or stage.__name__, failure.log or log
        for path in outputs:
            write_failure(path, failure)
        sys.stderr.write(f"hoi {stage.__name__}: {failure}\n")
        told = f"no result, recorded as failure of {failure.stage}: {failure.found}; next: {failure.next_step}"
        sys.stdout.write(f"hoi {stage.__name__}: {told}\n")
        return f"{failure.stage}: {failure.found}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one stage or another command."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    usage = f"usage: python -m hoi STAGE --name value ...\nstages: {', '.join(STAGES)}, or: {', '.join(COMMANDS)}"
    if arguments and arguments[0] in ("-h", "--help"):
        sys.stdout.write(f"{usage}\n`hoi NAME --help` tells of one\n")
        return
    if not arguments or arguments[0] not in (*STAGES, *COMMANDS):
        sys.exit(usage)
    try:
        _run(stage_function(arguments[0]), arguments[1:])
    except InputError as error:
        sys.stderr.write(f"hoi {arguments[0]}: {error}\n")
        sys.exit(2)
