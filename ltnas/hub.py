"""python -m ltnas.hub: trained networks on the Hugging Face hub."""

from __future__ import annotations

if __name__ == "__main__":  # above the other imports, so that --help does not load torch
    from ltnas.cli.command import main

    main("hub")

from pathlib import Path

from ltnas.cli.console import plain_console
from ltnas.config import HubConfig, require
from ltnas.deployment.hugging_face import pull, push
from ltnas.models.saved import load_network
from ltnas.runs.user_paths import expanded


def hub(config: HubConfig) -> str | Path:
    """Upload or download a trained network, which must be whole in both cases.

    Returns:
        The address of the repository, or the folder that it was downloaded to.

    Raises:
        UserError: something that the user can mend; see its text.
    """
    if config.push:
        folder = expanded("push", config.push)
        require(folder.is_dir(), f"push={folder} is no folder: give a run folder of ltnas.retrain")
        network = load_network(folder)
        address = push(folder, config.repo, config.private)
    else:
        folder = expanded("out", config.out or config.pull.partition("/")[2])
        pull(config.pull, folder)
        network = load_network(folder)
    plain_console().print(
        f"a network of {len(network.preprocessing['classes'])} classes for images of "
        f"{network.preprocessing['image_size']} pixels"
    )
    return address if config.push else folder
