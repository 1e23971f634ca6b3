"""Hydra without a list that it makes for each file of a composition, a fifth of the time.

The list is what interpolations in defaults are resolved with, of which there are none here.
"""

from hydra._internal import defaults_list

make_map = defaults_list._create_interpolation_map


def map_if_needed(overrides, defaults, self_added):
    if any(not default.is_self() and default.is_interpolation() for default in defaults):
        return make_map(overrides, defaults, self_added)
    return None


defaults_list._create_interpolation_map = map_if_needed
