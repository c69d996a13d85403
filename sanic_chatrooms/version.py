"""Which version of the package this is. Its own file, so that everything can say it, also without installed metadata."""

__all__ = ["__version__"]

__version__ = "0.1.0.dev0"
