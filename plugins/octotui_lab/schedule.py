"""What is to happen when: the engine that carries the world from one moment to the next.

Pure: it asks the clock for the time and nothing else. Events happen at the very moment they are due
even when somebody asks much later, so that time stamps do not depend on who asks when.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Generator
from typing import TypeAlias

from octotui_lab.clock import Clock

#: The course of something that takes time: yields the lab seconds until its next moment.
Course: TypeAlias = Generator[float, None, None]


class Entry:
    """Something that will happen, unless cancelled."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        self.action = None


class Schedule:
    """The events to come, in order, and the moment the world has reached (``now``)."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.now = clock.now()
        self._entries: list[tuple[float, int, Entry]] = []
        self._order = itertools.count()
        self._listeners: list[Callable[[], None]] = []
        self._advancing = False

    def advance(self) -> None:
        """Lets everything happen that is due by the clock."""
        if self._advancing:
            return
        self._advancing = True
        happened = False
        try:
            until = self.clock.now()
            while self._entries and self._entries[0][0] <= until:
                when, _, entry = heapq.heappop(self._entries)
                if entry.action is not None:
                    self.now = max(self.now, when)
                    entry.action()
                    happened = True
            self.now = max(self.now, until)
        finally:
            self._advancing = False
        if happened:
            self.changed()

    def next_due(self) -> float | None:
        """When (epoch seconds) the next event is due."""
        while self._entries and self._entries[0][2].action is None:
            heapq.heappop(self._entries)
        return self._entries[0][0] if self._entries else None

    def after(self, lab_seconds: float, action: Callable[[], None]) -> Entry:
        """Lets ``action`` happen ``lab_seconds`` (before division by speed) from ``now``."""
        entry = Entry(action)
        when = self.now + lab_seconds / self.clock.speed
        heapq.heappush(self._entries, (when, next(self._order), entry))
        return entry

    def listen(self, listener: Callable[[], None]) -> None:
        """Calls ``listener`` whenever something may have changed."""
        self._listeners.append(listener)

    def unlisten(self, listener: Callable[[], None]) -> None:
        self._listeners.remove(listener)

    def changed(self) -> None:
        """Tells listeners that something changed; while time is being moved, at its end."""
        if not self._advancing:
            for listener in tuple(self._listeners):
                listener()

    def follow(self, course: Course) -> Following:
        """Starts a course now and carries it on whenever its next moment has come."""
        following = Following(self, course)
        following.go_on()
        return following


class Following:
    """A course under way."""

    def __init__(self, schedule: Schedule, course: Course) -> None:
        self._schedule = schedule
        self._course = course
        self._next: Entry | None = None

    def go_on(self) -> None:
        """Carries the course on to its next moment."""
        try:
            pause = next(self._course)
        except StopIteration:
            self._next = None
            return
        self._next = self._schedule.after(pause, self.go_on)

    def stop(self) -> None:
        """Ends the course where it stands."""
        if self._next is not None:
            self._next.cancel()
            self._next = None
            self._course.close()
