"""What trainings of networks share: the tensors that one goes on from after it was killed, and when one must stop."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from hoi.errors import InputError

Named = dict[str, nn.Parameter]


def stop_unless_finite(stage: str, step: int, loss: Tensor, gradient: Tensor) -> None:
    """An InputError where a step's loss or its gradient's norm is not finite: asked before the weights follow, so that no
    checkpoint holds NaN."""
    if not (loss + gradient).isfinite():
        raise InputError(stage, f"a loss of {float(loss):g} with a gradient of {float(gradient):g} at step {step}",
                         "finite losses", f"lower {stage}.rate; with another rate it starts anew")  # fmt: skip


def training_state(
    step: int, named: Named, average: Iterable[Tensor], optimiser: torch.optim.AdamW
) -> dict[str, Tensor]:
    """Weights, their running average in the same order, AdamW's moments, and how many steps were taken."""
    out = {"step": torch.tensor(step)}
    for (name, p), averaged in zip(named.items(), average, strict=True):
        moments = optimiser.state[p]
        out |= {f"weights/{name}": p, f"average/{name}": averaged}
        out |= {f"first/{name}": moments["exp_avg"], f"second/{name}": moments["exp_avg_sq"]}
    return {key: value.detach().cpu().contiguous() for key, value in out.items()}


@torch.no_grad()
def restore_training(
    state: dict[str, Tensor], named: Named, average: Iterable[Tensor], optimiser: torch.optim.AdamW
) -> int:
    """Put a `training_state` back; how many steps had been taken."""
    step = int(state["step"])
    for (name, p), averaged in zip(named.items(), average, strict=True):
        p.copy_(state[f"weights/{name}"])
        averaged.copy_(state[f"average/{name}"])
        first, second = (torch.empty_like(p).copy_(state[f"{kind}/{name}"]) for kind in ("first", "second"))
        optimiser.state[p] = {
            "step": torch.tensor(float(step), device=p.device),
            "exp_avg": first,
            "exp_avg_sq": second,
        }
    return step
