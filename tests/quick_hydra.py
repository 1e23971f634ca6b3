"""Hydra that does not repeat what it has done in this process, and copies quickly.

A composition reads about forty files and schemas and merges them. Two thirds of its time go into
parsing, and into copies by `copy.deepcopy`. Here a file is parsed again only when it has changed,
the same files are merged once, and copies are made by `pickle`, in C. Which files are merged in
which order, and what the words of a command line do to the result, is Hydra's own.

One list is left out: Hydra makes it for each file, to resolve interpolations in defaults, of which
there are none here.
"""

import copy
import itertools
import os
import pickle
from types import SimpleNamespace

from hydra._internal import config_repository, defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.object_type import ObjectType

make_map = defaults_list._create_interpolation_map
read_config = config_repository.ConfigRepository.load_config
merge_configs = ConfigLoaderImpl._compose_config_from_defaults_list
pickles = {}
"""What files and schemas hold, and what they are when they are merged, by address and state."""


def map_if_needed(overrides, defaults, self_added):
    if any(not default.is_self() and default.is_interpolation() for default in defaults):
        return make_map(overrides, defaults, self_added)
    return None


def read_once(repository, config_path):
    """Stand for `ConfigRepository.load_config`."""
    key = key_of(repository, config_path)
    return copied(key, lambda: read_config(repository, config_path))


def merge_once(loader, defaults, repo):
    """Stand for `ConfigLoaderImpl._compose_config_from_defaults_list`.

    The first half of the files are those of Hydra's own settings, the same for all commands.
    """
    of_hydra = list(itertools.takewhile(lambda one: one.config_path.startswith("hydra/"), defaults))
    others = defaults[len(of_hydra) :]
    keys = [key_of_merged(repo, part) for part in (of_hydra, others)]

    def load(default, repo):
        if default is of_hydra:  # in the place of its files
            return SimpleNamespace(config=first)
        return loader._load_single_config(default=default, repo=repo)

    if tuple(keys) not in pickles:
        first = copied(keys[0], lambda: merge_configs(loader, of_hydra, repo))
    loading = SimpleNamespace(_load_single_config=load)
    return copied(tuple(keys), lambda: merge_configs(loading, [of_hydra, *others], repo))


def key_of_merged(repo, defaults):
    return tuple(
        (default.package, default.primary, key_of(repo.delegate, default.config_path))
        for default in defaults
    )


def copied(key, make):
    """Return a copy of what was made for a key before, or make it."""
    if key not in pickles:
        made = make()
        try:
            pickles[key] = pickle.dumps(made)
        except pickle.PicklingError:  # Hydra loads plugins twice, and so their classes
            return made
    return pickle.loads(pickles[key])


def key_of(repository, config_path):
    """Address of a configuration, and its state; schemas and files of packages do not change."""
    source = repository._find_object_source(config_path, ObjectType.CONFIG)
    if source is None:
        return config_path
    address = (source.scheme(), source.path, source.provider, config_path)
    if source.scheme() != "file":
        return address
    status = os.stat(os.path.join(source.path, source._normalize_file_name(config_path)))
    return *address, status.st_mtime_ns, status.st_size, status.st_ino


def share_schemas(caching, delegate):
    """Stand for `CachingConfigRepository.__init__`, which copies all schemas with the list of them.

    The list is replaced in the copy where a search path is changed, but never written to.
    """
    caching.delegate = copy.copy(delegate)
    caching.cache = {}


class Copies:
    """Stands for the module `copy` where lists of defaults are copied."""

    copy = copy.copy

    @staticmethod
    def deepcopy(value):
        return pickle.loads(pickle.dumps(value))


def install():
    """Replace the functions of Hydra in this process; again, it changes nothing."""
    defaults_list._create_interpolation_map = map_if_needed
    defaults_list.copy = Copies
    config_repository.ConfigRepository.load_config = read_once
    config_repository.CachingConfigRepository.__init__ = share_schemas
    ConfigLoaderImpl._compose_config_from_defaults_list = merge_once
