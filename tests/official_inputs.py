"""Inputs of the tests against official values, from formulas that no random generator enters."""

import math

import torch

COUNTS = {
    "exp0.1": [5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500],
    "exp0.01": [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50],
}
"""Number of images of each class of CIFAR-10-LT."""
LABELS = torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 5, 7, 8, 9])
IMAGE = 13
"""Image whose gradients are compared one by one: of class 7, which is rare."""
LOGITS = 3 * torch.sin(
    1 + 3 * torch.arange(16, dtype=torch.float64)[:, None] + 7 * torch.arange(10)
)


def waves(*shape, start=0):
    """Return sin(i^2 + start) for i = 0, 1, ..., float64 of a shape."""
    places = torch.arange(math.prod(shape), dtype=torch.float64)
    return torch.sin(places**2 + start).view(shape)


def filled(module):
    """Set all parameters of a module by formulas, make it float64 and return it."""
    module.double()
    for number, parameter in enumerate(module.parameters()):
        values = waves(*parameter.shape, start=number)
        many = parameter.ndim > 1
        parameter.data = values * math.sqrt(2 / parameter[0].numel()) if many else 0.5 + values / 10
    return module


def numbers(text):
    """Return the numbers in a text."""
    return [float(word) for word in text.split()]


def norm(tensors):
    """Return the Euclidean norm of all numbers of some tensors."""
    return math.sqrt(sum(float(tensor.detach().square().sum()) for tensor in tensors))
