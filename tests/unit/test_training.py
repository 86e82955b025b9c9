"""What trainings share."""

import pytest
import torch
from torch import nn

from hoi.errors import InputError
from hoi.training import restore_training, stop_unless_finite, training_state


def test_a_state_is_restored_on_the_device_of_its_weights():
    """AdamW's fused kernels ask that of the step count as well."""
    net, elsewhere = nn.Linear(2, 1), nn.Linear(2, 1, device="meta")
    optimiser = torch.optim.AdamW(net.parameters())
    net(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    state = training_state(1, dict(net.named_parameters()), net.parameters(), optimiser)
    other = torch.optim.AdamW(elsewhere.parameters())
    assert restore_training(state, dict(elsewhere.named_parameters()), elsewhere.parameters(), other) == 1
    for moments in other.state.values():
        assert {key: str(value.device) for key, value in moments.items()} == {
            "step": "meta", "exp_avg": "meta", "exp_avg_sq": "meta"
        }  # fmt: skip


@pytest.mark.parametrize("loss, gradient", [(float("nan"), 1.0), (1.0, float("inf")), (1.0, float("nan"))])
def test_what_would_spoil_the_weights_stops_a_training(loss, gradient):
    stop_unless_finite("train_prior", 1, torch.tensor(1.0), torch.tensor(1e30))
    with pytest.raises(InputError, match="at step 7"):
        stop_unless_finite("train_prior", 7, torch.tensor(loss), torch.tensor(gradient))
