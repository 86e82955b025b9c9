"""What a fit goes on from: all that the steps to come depend on, and that the start does not make again."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hoi.fit.average import Average
from hoi.fit.distil import Distillation
from hoi.fit.grid import GridField
from hoi.fit.optimise import Optimisation

BODY = ("values", "low", "high")  # of what the prior told
Row = dict[str, int | float]  # of the history


@dataclass(frozen=True)
class State:
    """A fit between two steps, on the CPU: tensors, and what goes with them as JSON has it."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


Keep = Callable[[Callable[[], State]], None]  # what a fit is offered to: its state is made only if it is asked for


def state_of(fit: Optimisation, step: int, rows: list[Row]) -> State:
    """Before a step that renews the coarse grid and the hand's raster (`refresh`), which are not in it."""
    tensors = _changed(fit) | _moments(fit.optimiser)
    if fit.told:
        tensors |= {f"body/{name}": getattr(fit.guess, name) for name in BODY}
    if distil := _opened(fit):
        tensors["noise"] = distil.generator.get_state()
    tensors |= {f"mean/{i}": mean for i, mean in enumerate(fit.average.means)}
    copies = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    draws = {name: rng.bit_generator.state for name, rng in _draws(fit).items()}
    facts = {"step": step, "rows": list(rows), "told": fit.told, "draws": draws, "averaged": fit.average.count}
    return State(copies, facts)


@torch.no_grad()
def restore(fit: Optimisation, state: State) -> tuple[int, list[Row]]:
    """Put a `state_of` back into a fit that has just started; its step, and the history so far."""
    tensors, facts = state.tensors, state.facts
    if facts["told"]:
        fit.become(facts["told"], GridField(*(tensors[f"body/{name}"] for name in BODY)))
    if "noise" in tensors:
        fit.teller.distil.generator.set_state(tensors["noise"])
    for name, tensor in _changed(fit).items():
        tensor.copy_(tensors[name])
    for name, rng in _draws(fit).items():
        rng.bit_generator.state = facts["draws"][name]
    means = [tensors[f"mean/{i}"].to(fit.device) for i in range(len(fit.learned()) if facts["averaged"] else 0)]
    fit.average = Average(facts["averaged"], means)
    moments: dict[int, dict[str, Tensor]] = defaultdict(dict)
    for name in tensors:
        if name.startswith("adam/"):
            _, parameter, kind = name.split("/")
            moments[int(parameter)][kind] = tensors[name]
    fit.optimiser.load_state_dict(fit.optimiser.state_dict() | {"state": dict(moments)})
    return facts["step"], list(facts["rows"])


def _changed(fit: Optimisation) -> dict[str, Tensor]:
    """What steps change in place."""
    learned = {"field": fit.field, "variables": fit.variables}
    named = {f"{part}/{name}": p for part, module in learned.items() for name, p in module.named_parameters()}
    return named | {"start_T_hand_obj": fit.variables.start_T_hand_obj}


def _moments(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's, of the parameters that it has moved, by their number."""
    state = optimiser.state_dict()["state"]
    return {f"adam/{i}/{kind}": value for i, moments in state.items() for kind, value in moments.items()}


def _draws(fit: Optimisation) -> dict[str, np.random.Generator]:
    """All that draws with numpy."""
    drawing = {"fit": fit, "teller": fit.teller, "distil": _opened(fit)}
    return {name: owner.rng for name, owner in drawing.items() if owner}


def _opened(fit: Optimisation) -> Distillation | None:
    """The denoiser at work, if anything has asked it."""
    return fit.teller.distil if fit.teller and fit.teller.opened else None
