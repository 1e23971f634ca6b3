"""Packages of the extras."""

import json

import pytest

from ltnas.errors import UserError
from ltnas.runs.packages import extra_package


def test_a_package_that_is_there():
    assert extra_package("json", "hub") is json


def test_a_package_that_is_missing():
    with pytest.raises(UserError) as caught:
        extra_package("no_such_package", "export")
    assert str(caught.value) == (
        "the package no_such_package is not installed: pip install 'ltnas[export]'"
    )
