"""Runs side by side that go in step: nets at different iterations can't be compared.

Iterations are granted in rounds. A round takes the runs that are furthest behind a few iterations further, at most to
where the next one stands; the next round begins when all that play are there. A run that is paused, failed, finished or
asleep is not waited for. A round is as long as the slowest run can go in a chunk.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

_LONGEST = 4096  # iterations


class Member(Protocol):
    """What is asked of a run here (see `node_core.runs.record`)."""

    pending: float | None
    lockstep: Lockstep[Any]

    @property
    def status(self) -> str:
        """The word for how it stands: "running" while it is played, "paused" where it can be played on."""
        ...

    @property
    def iteration(self) -> int:
        """Where it stands."""
        ...

    def wants_chunk(self, now: float, heartbeat: float) -> bool:
        """Whether there is something to compute."""
        ...


Run = TypeVar("Run", bound=Member)


@dataclass(eq=False)
class Lockstep(Generic[Run]):
    """Runs that go in step, and their present round.

    Args:
        members: the runs.
        size: iterations of a round.
        goal: iteration to which the round leads; 0 before there is one.
        late: whether somebody did not reach it in one chunk.
        resting: somebody was paused: those behind the others still finish the round, so that all rest at one iteration.
    """

    members: list[Run]
    size: int = 1
    goal: int = 0
    late: bool = True
    resting: bool = False

    def restart(self, size: int | None = None) -> None:
        """Begin a new round: where the runs stand, or how they play, is another matter now."""
        self.goal, self.late, self.resting = 0, True, False
        self.size = size or self.size

    def allows(self, run: Run, now: float, heartbeat: float) -> int | None:
        """How many iterations a run may make in its next chunk.

        Args:
            run: one of the members.
            now: the time (s).
            heartbeat: seconds without a poll after which a run sleeps.

        Returns:
            None for as many as fit; 0 for no chunk: it has to wait for others, or wants none.
        """
        if run.pending is not None or len(self.members) == 1:
            return None if run.wants_chunk(now, heartbeat) else 0
        going = [
            each for each in self.members if each.status == "running" and each.wants_chunk(now, heartbeat)
        ]
        if run in going:
            if all(each.iteration >= self.goal for each in going):
                self._begin_round([each.iteration for each in going])
            return max(0, self.goal - run.iteration)
        if not self.resting or going or run.status != "paused":
            return 0
        return max(
            0, *(each.iteration - run.iteration for each in self.members if each.iteration <= self.goal)
        )

    def arrive(self, run: Run) -> None:
        """Take note of a chunk that a member has delivered."""
        missing = self.goal - run.iteration if len(self.members) > 1 else 0
        if missing > 0:
            self.size, self.late = max(1, self.size - missing), True

    def _begin_round(self, iterations: Collection[int]) -> None:
        if not self.late:
            self.size = min(_LONGEST, self.size + 1 + self.size // 4)
        least = min(iterations)
        self.goal = min([least + self.size, *(ahead for ahead in iterations if ahead > least)])
        self.late = False


def join(members: Sequence[Run]) -> list[Run]:
    """Let runs go in step from now on, and with no others; one alone goes by itself.

    Returns:
        Whose next chunk may be due now, those among them that waited for one that has left them.
    """
    if all(run.lockstep.members == list(members) for run in members):
        return []
    lockstep, left = Lockstep(list(members)), []
    for run in members:
        left += part(run)
        run.lockstep = lockstep
    return [*left, *members]


def part(run: Run) -> list[Run]:
    """Let a run go by itself; returns those that may have waited for it."""
    left = [each for each in run.lockstep.members if each is not run]
    run.lockstep.members = left
    run.lockstep = Lockstep([run])
    return left
