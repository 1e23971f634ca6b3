"""Configurations as a command line gives them, without a command line."""

import pytest
from conftest import TINY
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from ltnas.cli.command import register_configs
from ltnas.cli.help import CONF
from ltnas.cli.messages import user_message


def settings(command, *arguments):
    """The configuration of `python -m ltnas.<command> <arguments>`."""
    register_configs()
    with initialize_config_dir(CONF, version_base="1.3"):
        return OmegaConf.to_object(compose(command, list(arguments)))


def composed(command, *arguments):
    """The configuration of `python -m ltnas.<command> <TINY> <arguments>`."""
    return settings(command, *TINY, *arguments)


def refusal(command, *arguments):
    """The line that a user sees for these arguments."""
    with pytest.raises(Exception) as caught:
        settings(command, *arguments)
    message = user_message(caught.value)
    assert message
    assert "\n" not in message
    return message
