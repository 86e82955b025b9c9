"""`python -m hoi STAGE --name value ...`: one command a stage, its flags those of the stage's function.

Every stage is the function of its name in `hoi/stages/NAME.py`. A Path is a path, a settings section or a clips row is JSON,
a list takes several values. Bad input ends with exit status 2 and the error's text alone.
"""

import argparse
import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from hoi.errors import InputError

STAGES = (
    "prepare_clip", "track_hand", "mask_clip", "fit_clip", "show_clip", "score_clip", "make_table", "report_clip",
    "make_report",
)  # fmt: skip
COMMANDS = ("summary", "view")  # what people run beside the workflow: the function of that name in hoi/NAME.py


def stage_function(name: str) -> Callable[..., None]:
    """The function of a stage; its module is imported only now."""
    return getattr(importlib.import_module(f"hoi.stages.{name}"), name)


def command_function(name: str) -> Callable[..., None]:
    """The function of a command for people."""
    return getattr(importlib.import_module(f"hoi.{name}"), name)


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
    hints = typing.get_type_hints(stage)
    return {name: hints[name] for name in inspect.signature(stage).parameters}


def _positional(stage: Callable[..., None]) -> list[str]:
    parameters = inspect.signature(stage).parameters.items()
    return [name for name, parameter in parameters if parameter.kind is inspect.Parameter.POSITIONAL_ONLY]


def _reader(kind: Any) -> Callable[[str], Any]:
    if typing.get_origin(kind) is list:
        return typing.get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return lambda text: _model(kind, text)
    return kind


def _model(kind: type[BaseModel], text: str) -> BaseModel:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise InputError(f"--{kind.__name__}", text, str(error), "correct the JSON") from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one stage or command."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] not in (*STAGES, *COMMANDS):
        names = f"stages: {', '.join(STAGES)}; for people: {', '.join(COMMANDS)}"
        sys.exit(f"usage: python -m hoi STAGE --name value ...\n{names}")
    try:
        stage = (command_function if arguments[0] in COMMANDS else stage_function)(arguments[0])
        values = vars(parser_of(stage).parse_args(arguments[1:]))
        positional = [values.pop(name) for name in _positional(stage)]
        stage(*positional, **{name: value for name, value in values.items() if name in _parameters(stage)})
    except InputError as error:
        sys.stderr.write(f"hoi {arguments[0]}: {error}\n")
        sys.exit(2)
