"""Stand-in for CUDA graphs on the CPU: records the operations of a step, then replays them."""

import torch
from torch import Tensor
from torch.utils import _pytree
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
HOST_READS = {
    *(aten._local_scalar_dense, aten.item, aten.is_nonzero, aten.equal, aten.nonzero),
    *(aten.bincount, aten.masked_select, aten.unique_consecutive, aten._unique2),
}
"""Operations whose result the host waits for on a GPU, which CUDA refuses in a recording."""


def tensors(values):
    return [value for value in _pytree.tree_leaves(values) if isinstance(value, Tensor)]


def written(function, arguments, keywords):
    """Return the tensors that an operation changes in place."""
    if function.overloadpacket is aten.native_batch_norm:  # not declared in its signature
        return tensors(arguments[3:5])
    declared = function._schema.arguments
    named = dict(zip([argument.name for argument in declared], arguments, strict=False)) | keywords
    return tensors(
        [
            named.get(argument.name)
            for argument in declared
            if argument.alias_info is not None and argument.alias_info.is_write
        ]
    )


class Recording(TorchDispatchMode):
    """A graph and the context that records into it.

    As with CUDA, nothing has happened when the recording is over: memory and random numbers are as
    before. A replay repeats the operations with the same memory and the same other arguments, and
    runs no other code of the step.
    """

    def __init__(self):
        super().__init__()
        self.calls = []
        self.replays = 0
        self._before = {}

    def __enter__(self):
        self._random = torch.get_rng_state()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        torch.set_rng_state(self._random)
        for storage, content in self._before.values():
            storage.copy_(content)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        keywords = kwargs or {}
        if function.overloadpacket in HOST_READS:
            raise RuntimeError(f"{function} is not permitted when a stream is capturing")
        for tensor in written(function, args, keywords):
            storage = tensor.untyped_storage()
            self._before.setdefault(storage._cdata, (storage, storage.clone()))
        result = function(*args, **keywords)
        if not function.is_view and function.namespace != "profiler":
            self.calls.append((function, args, keywords, result))
        return result

    @torch.no_grad()
    def replay(self):
        self.replays += 1
        for function, arguments, keywords, recorded in self.calls:
            found = function(*arguments, **keywords)
            for old, new in zip(tensors(recorded), tensors(found), strict=True):
                if old.data_ptr() != new.data_ptr():
                    old.copy_(new)
