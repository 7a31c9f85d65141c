"""Where the packages are; everything else stands in pyproject.toml.

The specifications stand at the root, where people look for them, and travel in the wheel as ``qstack/specs``.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["qstack", "qstack.*"]), "qstack.specs"],
    package_dir={"qstack.specs": "specs"},
    package_data={"qstack": ["py.typed", "data/**/*"], "qstack.specs": ["*", "*/*"]},
)
