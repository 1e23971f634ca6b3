"""Triton's interpreter without what it repeats at each call, three quarters of a kernel's time."""

import contextlib
import dataclasses
import functools

import pytest
from triton.runtime import interpreter

prepare = functools.cache(interpreter._patch_lang)
"""Replaces the words of the language in the module of a function by interpreted ones."""


def call(function, *arguments, **named):
    """Call a function of a kernel, whose module need not be prepared at each call of it."""
    prepare(function.fn)
    return function.rewrite()(*arguments, **named)


@contextlib.contextmanager
def quickly():
    """Make the interpreter quick, also by not looking for overflows: offsets here are small."""
    builder = interpreter.interpreter_builder
    unchecked = dataclasses.replace(builder.options, sanitize_overflow=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interpreter.InterpretedFunction, "__call__", call)
        patch.setattr(builder, "options", unchecked)
        yield
