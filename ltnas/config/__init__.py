"""Typed configuration: everything a user can set, checked before anything is loaded.

Each axis is a file: dataclasses with the constants of its values, and at its end the table of the
values by their command-line names. The public names of all files are names of this package, so
that `ltnas.config.Softmax` works. Nothing here imports torch, so that `--help` stays quick.
"""

from ltnas.config.augmentation import *
from ltnas.config.auxiliary_skip import *
from ltnas.config.axes import *
from ltnas.config.branches import *
from ltnas.config.classifier import *
from ltnas.config.combinations import *
from ltnas.config.data import *
from ltnas.config.draw import *
from ltnas.config.edges import *
from ltnas.config.export import *
from ltnas.config.gradient import *
from ltnas.config.hub import *
from ltnas.config.launcher import *
from ltnas.config.levels import *
from ltnas.config.macro import *
from ltnas.config.mix import *
from ltnas.config.network import *
from ltnas.config.objective import *
from ltnas.config.operation_stopping import *
from ltnas.config.optimisers import *
from ltnas.config.perturbation import *
from ltnas.config.pipeline import *
from ltnas.config.predict import *
from ltnas.config.preview import *
from ltnas.config.progression import *
from ltnas.config.proxy import *
from ltnas.config.rank import *
from ltnas.config.regulariser import *
from ltnas.config.relaxation import *
from ltnas.config.requirements import *
from ltnas.config.retrain import *
from ltnas.config.run import *
from ltnas.config.sampler import *
from ltnas.config.schedule import *
from ltnas.config.search import *
from ltnas.config.selection import *
from ltnas.config.space import *
from ltnas.config.weight_norm import *
