"""The device that computes."""

from __future__ import annotations

import torch

from gene_gcn.errors import Argument, ArgumentError


def choose_device(device: str = "auto") -> torch.device:
    """Return the device of that name; "auto" is the first CUDA device if there is one, otherwise the CPU.

    Raises
    ------
    ArgumentError
        The name is unknown, or this machine has no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ArgumentError(
            "device",
            Argument("device", device),
            f" is not available on this machine ({reason}); use 'auto' or 'cpu'.",
        ) from error
    return chosen
