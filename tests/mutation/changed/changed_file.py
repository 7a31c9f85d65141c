"""Loads one file of the project changed, as the environment variable QSTACK_CHANGED says: path, old text, new text."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import sys
from pathlib import Path


class Changed(importlib.machinery.SourceFileLoader):
    """Reads the file with the new text in the place of the old one, and keeps no bytecode of it."""

    def get_code(self, fullname):
        """Compile what is read now."""
        _, old, new = os.environ["QSTACK_CHANGED"].split("\x1f")
        source = Path(self.path).read_text(encoding="utf-8").replace(old, new)
        return compile(source, self.path, "exec", dont_inherit=True)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the module of the file, and no other."""

    def find_spec(self, name, path=None, target=None):
        """Give the changed loader where the usual place is that file."""
        found = importlib.machinery.PathFinder.find_spec(name, path, target)
        file = os.environ["QSTACK_CHANGED"].partition("\x1f")[0]
        if found is None or not found.origin or os.path.realpath(found.origin) != os.path.realpath(file):
            return None
        found.loader = Changed(name, found.origin)
        return found


def install():
    """Look for the changed file before anything else."""
    sys.meta_path.insert(0, Finder())
