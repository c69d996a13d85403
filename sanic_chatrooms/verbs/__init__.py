"""The commands, one file for each feature. This imports all of them, so that the table has their rows."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
