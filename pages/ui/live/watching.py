"""Who shows what to whom: a tab's runs may be watched by others, live, and touched by nobody but their owner.

A watcher has a key of its own kind. It leads to what the owner's tab shows at the moment, and never to the tokens of
its runs: the socket (`pages.ui.live.socket`) looks those up itself, and refuses every command.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from node_core.runs.shared import new_key

_GONE = 90.0  # s after which an owner who is not connected has left
_ENDED = 512  # keys of which it is remembered why they ended
_VIEWS = ("plane", "space", "time")
_LAYERS = ("boundary", "points", "paths", "particles", "grid", "steps")
STOPPED, LEFT = "stopped", "left"


@dataclass(frozen=True)
class Canvas:
    """A canvas of a page: what it is mounted with.

    Args:
        component: Streamlit's.
        token: its run.
        data: for its script, besides the run.
    """

    component: Any
    token: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Chart:
    """A chart of a page that follows runs (`pages.ui.live.chart.following_chart`)."""

    make: Callable[[], Any] = field(compare=False)
    tokens: tuple[str, ...]
    key: str
    label: str


@dataclass(frozen=True)
class Stage:
    """What a tab shows.

    Args:
        page: its name in the address.
        title: of the lesson.
        settings: its address's parameters.
        canvases, charts: from above.
    """

    page: str = ""
    title: str = ""
    settings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    canvases: tuple[Canvas, ...] = ()
    charts: tuple[Chart, ...] = ()


@dataclass(eq=False)
class Shown:
    """A tab that others may watch.

    Args:
        key: leads here.
        there: whether its owner is connected.
        seen: when the owner was last (s).
        stage: what is shown now, and how often that has changed.
        cameras: how the owner looks at each run.
        watchers: what each open socket wants to have called when something changes.
        patience: seconds after which an owner who is not connected has left.
        members: keys of the tabs that belong to this one: it is a class then, and shows nothing itself.
    """

    key: str
    there: Callable[[], bool]
    seen: float
    patience: float = _GONE
    members: dict[str, None] = field(default_factory=dict)
    stage: Stage = field(default_factory=Stage)
    changes: int = 0
    cameras: dict[str, dict[str, Any]] = field(default_factory=dict)
    watchers: dict[object, tuple[str, Callable[[], None]]] = field(default_factory=dict)

    def place_of(self, token: str) -> str:
        """What a run is called among watchers: its token can't be found from it."""
        return hashlib.blake2s(token.encode(), key=self.key.encode(), digest_size=6).hexdigest()

    def token_at(self, place: str) -> str | None:
        """The run that is shown at a place now."""
        return next((each.token for each in self.stage.canvases if self.place_of(each.token) == place), None)


class Watching:
    """All tabs that others may watch. Every method may be called from any thread.

    Args:
        most: tabs; more are refused.
        sockets: watchers' connections to one of them; more are refused.
        members: tabs of one class; more are refused.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        *,
        most: int = 1024,
        sockets: int = 2000,
        members: int = 200,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._members = members
        self._most = most
        self._sockets = sockets
        self._clock = clock
        self._lock = threading.RLock()
        self._shown: dict[str, Shown] = {}
        self._ended: OrderedDict[str, str] = OrderedDict()

    # -- who shows

    def open(self, there: Callable[[], bool], patience: float = _GONE) -> str:
        """Let a tab be watched; its key.

        Args:
            there: whether its owner is connected; asked now and then, from any thread.
            patience: seconds after which an owner who is not connected has left.

        Raises:
            ValueError: too many are watched.
        """
        with self._lock:
            for shown in list(self._shown.values()):
                self._look_after(shown)
            if len(self._shown) >= self._most:
                raise ValueError(
                    f"{self._most} tabs of this server are watched, the most it allows: try again later."
                )
            key = new_key()
            self._shown[key] = Shown(key, there, self._clock(), patience)
            return key

    def add(self, key: str, member: str) -> None:
        """Let a tab belong to a class; those that are gone make room.

        Raises:
            ValueError: the class is over, or full.
        """
        with self._lock:
            room = self.find(key)
            if room is None:
                raise ValueError("The class is over.")
            for gone in [each for each in room.members if self.find(each) is None]:
                del room.members[gone]
            if len(room.members) >= self._members:
                raise ValueError(f"The class sees {self._members} runs, the most it can.")
            room.members[member] = None

    def show(self, key: str, stage: Stage) -> None:
        """Say what the tab shows now; a key that has ended is passed over."""
        with self._lock:
            shown = self._shown.get(key)
            if shown is None:
                return
            shown.seen = self._clock()
            if stage != shown.stage:
                shown.stage, shown.changes = stage, shown.changes + 1
                here = {canvas.token for canvas in stage.canvases}
                shown.cameras = {token: camera for token, camera in shown.cameras.items() if token in here}
        self._tell(shown)

    def look_from(self, token: str, camera: object) -> None:
        """The owner of a run looks at it from somewhere else; what is no camera is passed over."""
        found = checked_camera(camera)
        if not found:
            return
        with self._lock:
            here = [
                shown
                for shown in self._shown.values()
                if shown.cameras.get(token) != found
                and any(each.token == token for each in shown.stage.canvases)
            ]
            for shown in here:
                shown.cameras[token] = found
        for shown in here:
            self._tell(shown)

    def close(self, key: str, why: str = STOPPED) -> None:
        """Let nobody watch the tab any more."""
        with self._lock:
            shown = self._shown.pop(key, None)
            if shown is None:
                return
            self._ended[key] = why
            while len(self._ended) > _ENDED:
                self._ended.popitem(last=False)
        self._tell(shown)

    # -- who watches

    def find(self, key: str) -> Shown | None:
        """The tab that a key leads to; None if nobody shows it any more."""
        with self._lock:
            shown = self._shown.get(key)
            return None if shown is None or not self._look_after(shown) else shown

    def ended(self, key: str) -> str:
        """Why a key leads nowhere any more: "stopped", "left", or "" if that is not known."""
        with self._lock:
            return self._ended.get(key, "")

    def resolve(self, name: str) -> tuple[Shown, str, str]:
        """The tab, the run's token and its place that "key.place" names.

        Raises:
            KeyError: nobody shows it.
        """
        key, _, place = name.partition(".")
        shown = self.find(key)
        token = None if shown is None else shown.token_at(place)
        if shown is None or token is None:
            raise KeyError(name)
        return shown, token, place

    def join(self, shown: Shown, place: str, listener: Callable[[], None]) -> Callable[[], None]:
        """Count one more watcher, and call `listener` (from any thread; it must not block) at changes; the end of it.

        Raises:
            KeyError: too many watch.
        """
        me = object()
        with self._lock:
            if len(shown.watchers) >= self._sockets:
                raise KeyError(place)
            shown.watchers[me] = (place, listener)

        def leave() -> None:
            with self._lock:
                shown.watchers.pop(me, None)

        return leave

    def watchers(self, key: str) -> int:
        """How many watch the tab: of several canvases, the one with the most."""
        with self._lock:
            shown = self._shown.get(key)
            places = [] if shown is None else [place for place, _ in shown.watchers.values()]
            return max((places.count(place) for place in set(places)), default=0)

    def _look_after(self, shown: Shown) -> bool:
        """Whether the owner is still there, or may come back."""
        now = self._clock()
        if shown.there():
            shown.seen = now
        if now - shown.seen > shown.patience:
            self.close(shown.key, LEFT)
            return False
        return True

    def _tell(self, shown: Shown) -> None:
        with self._lock:
            listeners = [listener for _, listener in shown.watchers.values()]
        for listener in listeners:
            listener()


def checked_camera(camera: object) -> dict[str, Any]:
    """What is usable of a camera (assets/live/main.js) that a page has sent: nothing else is passed on to others."""
    if not isinstance(camera, dict):
        return {}
    found: dict[str, Any] = {}
    if camera.get("view") in _VIEWS:
        found["view"] = camera["view"]
    for name in ("yaw", "pitch", "phase"):
        value = camera.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            found[name] = min(1e3, max(-1e3, float(value)))
    for name in ("sweeping", "backward"):
        if isinstance(camera.get(name), bool):
            found[name] = camera[name]
    if isinstance(layers := camera.get("layers"), str):
        found["layers"] = [layer for layer in _LAYERS if layer in layers.split()]
    return found
