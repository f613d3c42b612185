"""Preparing a generation beside the traffic: in a thread, since policies are executed and tables compiled. What comes
of it, errors of any kind included, is handed back to the loop."""

import asyncio
import ctypes
import os
import sys
import threading
import traceback
from collections.abc import Callable

from fastedge._core.exposures import Exposures
from fastedge._core.geotable import GeoSlot
from fastedge._core.keyslot import KeySlot
from fastedge._core.revocations import Revocations
from fastedge.assembly import Prepared, not_fetched, prepare
from fastedge.config import ConfigErrors
from fastedge.config.geosource import GeoSource
from fastedge.config.keysources import KeySource
from fastedge.config.problems import Problem
from fastedge.handover import read_sources

# While it runs, threads give way ten times as often as Python has it: clients wait for the loop, nobody for this.
_SWITCH_INTERVAL_S = 0.0005
_USUAL_INTERVAL_S = sys.getswitchinterval()


class Preparation:
    """Owns `descriptor`; `fetched` gives the places of fetched keys and `geo` that of the geo table, in the thread.
    `on_done(self)` is called on the loop: then `prepared` is there, or `problems` say why not."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        generation: int,
        descriptor: int,
        on_done: Callable[["Preparation"], None],
        revocations: Revocations | None = None,
        fetched: Callable[[KeySource], KeySlot] = not_fetched,
        exposures: Exposures | None = None,
        geo: Callable[[GeoSource], GeoSlot] | None = None,
    ) -> None:
        self.generation = generation
        self.prepared: Prepared | None = None
        self.problems: tuple[Problem, ...] = ()
        self._loop = loop
        self._descriptor = descriptor
        self._on_done = on_done
        self._fetched = fetched
        self._geo = geo
        self._revocations = revocations
        self._exposures = exposures
        self._is_aborted = False
        self._is_running = True
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        self._thread = threading.Thread(target=self._run, name="fastedge-prepare", daemon=True)
        self._thread.start()

    def abort(self) -> None:
        """Nobody waits for it any more. A policy that never comes to its end is interrupted."""
        self._is_aborted = True
        if self._is_running:
            number = ctypes.c_ulong(self._thread.ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(SystemExit))
        self._forget()

    def _run(self) -> None:
        try:
            self.prepared = prepare(
                read_sources(self._descriptor),
                self.generation,
                self._revocations,
                exposures=self._exposures,
                fetched=self._fetched,
                geo=self._geo,
            )
        except ConfigErrors as errors:
            self.problems = errors.problems
        except BaseException as error:  # whatever a policy raises refuses the reload; without a vote it would be done
            traceback.print_exc()
            self.problems = (Problem("", "", f"cannot be prepared: {type(error).__name__}: {error}"),)
        finally:
            self._is_running = False
            os.close(self._descriptor)
            self._loop.call_soon_threadsafe(self._done)

    def _done(self) -> None:
        sys.setswitchinterval(_USUAL_INTERVAL_S)
        if self._is_aborted:
            self._forget()
        else:
            self._on_done(self)

    def _forget(self) -> None:
        if self.prepared is not None:
            self.prepared.policies.forget()
            self.prepared = None
