"""Imported once by the fork server, so that a worker forked from it has torch and node_core at once.

That takes 0.04 s a worker instead of 3 s. Never import it in the server process.
"""

from __future__ import annotations

import gc
import importlib
import logging
import multiprocessing.spawn
import pkgutil

import torch

import node_core

_NOT_FOR_WORKERS = ("node_core.visualization",)  # figures are drawn in the server; plotly costs 0.5 s


def _import_everything() -> None:
    for module in pkgutil.walk_packages(node_core.__path__, "node_core."):
        if module.name.startswith(_NOT_FOR_WORKERS):
            continue
        try:
            importlib.import_module(module.name)
        except Exception:  # the fork server must live; the task that needs the module tells the user
            logging.getLogger(__name__).exception("could not preload %s", module.name)


def _forget_main() -> None:
    """Workers need nothing of the server's main script; importing it would run the app in every worker."""
    for name in ("_fixup_main_from_path", "_fixup_main_from_name"):
        if hasattr(multiprocessing.spawn, name):
            setattr(multiprocessing.spawn, name, lambda *_: None)


torch.set_num_threads(1)
_forget_main()
_import_everything()
gc.collect()
gc.freeze()  # keep the collector of a forked worker off the shared pages
