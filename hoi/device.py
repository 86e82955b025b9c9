"""What computes: the GPU where torch sees one and it is of use, else the CPU; said in the log, by its name in records."""

import sys

import torch

from hoi.provenance import processor


def choose_device(task: str, gpu_is_of_use: bool = True) -> torch.device:
    """The device for a task, which is told on stderr: that a GPU was wanted and none is seen, too."""
    found = torch.cuda.is_available()
    device = torch.device("cuda" if gpu_is_of_use and found else "cpu")
    why = "; torch sees no GPU" if gpu_is_of_use and not found else ""
    sys.stderr.write(f"{task} computes on {device_name(device)}{why}\n")
    return device


def device_name(device: torch.device) -> str:
    """The GPU's name as its driver has it, or the processor's after the word CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU {processor()}"
