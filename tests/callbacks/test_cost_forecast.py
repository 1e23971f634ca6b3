"""Time and memory of a search, told after its first steps."""

import io

import pytest
import torch
from modules import search_module

from ltnas.callbacks import cost_forecast
from ltnas.callbacks.cost_forecast import CostForecast
from ltnas.cli.console import plain_console
from ltnas.training.graphs import EAGER_STEPS, GraphRunner


class Training:
    num_training_batches = 12


@pytest.fixture
def forecast(monkeypatch):
    """Takes the steps of epochs, of which step n ends at n squared seconds; returns what is told.

    Steps 1 and 5 end after 1 and 25 seconds: 6 seconds a step.
    """

    def taken(module, epochs, steps=12):
        console = plain_console()
        console.file, console.width = io.StringIO(), 200
        callback = CostForecast(console, 4)
        for epoch in epochs:
            now_in = property(lambda self, epoch=epoch: epoch)
            monkeypatch.setattr(type(module), "current_epoch", now_in)
            for step in range(steps):
                module.note({"train_loss": torch.zeros(())})
                monkeypatch.setattr(cost_forecast.time, "monotonic", lambda now=step**2: float(now))
                callback.on_train_batch_end(Training(), module, None, None, step)
        return console.file.getvalue()

    return taken


def test_the_time_of_all_steps_is_told_once(forecast):
    told = forecast(search_module(), [0, 1])
    # Four epochs of twelve steps of six seconds.
    assert told.startswith("a step takes 6.00 s: expect 4.8 min for the steps of 4 epochs; peak")
    assert told.count("\n") == 1


def test_epochs_of_a_warm_up_tell_nothing(forecast):
    module = search_module()
    module.warmup_epochs = 2
    assert forecast(module, [0, 1]) == ""
    assert "for the steps of 2 epochs" in forecast(module, [0, 1, 2])


def test_steps_before_the_first_replayed_one_are_not_measured(forecast):
    module = search_module()
    module.run = GraphRunner(object, lambda graph: graph)
    first = EAGER_STEPS + 1
    wanted = ((first + 4) ** 2 - first**2) / 4
    assert forecast(module, [0]).startswith(f"a step takes {wanted:.2f} s")


def test_epochs_that_are_too_short_tell_nothing(forecast):
    assert forecast(search_module(), [0, 1], steps=5) == ""
