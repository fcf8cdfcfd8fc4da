"""coldstart predicts how much members who never or seldom rate will enjoy a movie."""

from importlib.metadata import version

try:
    __version__ = version("coldstart")
except ImportError:  # run from a checkout that isn't installed
    __version__ = "0+unknown"
