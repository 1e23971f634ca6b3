"""Triton's interpreter without what it repeats at each call, three quarters of a kernel's time."""

import contextlib
import copy
import dataclasses
import functools

import pytest
from triton import language
from triton.runtime import interpreter

prepare = functools.cache(interpreter._patch_lang)
"""Replaces the words of the language in the module of a function by interpreted ones."""


def call(function, *arguments, **named):
    """Call a function of a kernel, whose module need not be prepared at each call of it."""
    prepare(function.fn)
    return function.rewrite()(*arguments, **named)


of_type = interpreter._get_np_dtype
of_scalar = functools.cache(of_type)


def numpy_type(kind):
    """Return NumPy's type of a type; the table of all types need not be made at each call."""
    scalar = kind.scalar
    return of_type(kind) if isinstance(scalar, language.pointer_type) else of_scalar(scalar)


def with_elements(block, scalar):
    """Return the type of a block of the same shape, which need not be checked again."""
    found = copy.copy(block)
    found.element_ty, found.name = scalar, f"<{block.shape}, {scalar}>"
    return found


@contextlib.contextmanager
def quickly():
    """Make the interpreter quick, also by not looking for overflows: offsets here are small."""
    builder = interpreter.interpreter_builder
    unchecked = dataclasses.replace(builder.options, sanitize_overflow=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interpreter.InterpretedFunction, "__call__", call)
        patch.setattr(interpreter, "_get_np_dtype", numpy_type)
        patch.setattr(language.core.block_type, "with_element_ty", with_elements)
        patch.setattr(builder, "options", unchecked)
        yield
