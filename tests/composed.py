"""Configurations as a command line gives them, without a command line."""

from conftest import TINY
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from ltnas.cli.command import register_configs
from ltnas.cli.help import CONF


def composed(command, *arguments):
    """The configuration of `python -m ltnas.<command> <TINY> <arguments>`."""
    register_configs()
    with initialize_config_dir(CONF, version_base="1.3"):
        return OmegaConf.to_object(compose(command, [*TINY, *arguments]))
