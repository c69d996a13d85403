"""The commands, a file each feature. All of them are imported here, so that the table has their rows."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
