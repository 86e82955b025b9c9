"""What trainings share."""

import torch
from torch import nn

from hoi.training import restore_training, training_state


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
