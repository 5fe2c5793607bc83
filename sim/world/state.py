"""What success terms may read of n copies: poses, joints, grippers and contacts, batched, absent things as NaN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.task.spec import SpecError

if TYPE_CHECKING:
    from sim.world.mujoco import Copy

Floats = NDArray[np.float64]
NOWHERE = np.full(7, np.nan)


class Facts:
    """A view of copies of one task; every answer has a row a copy."""

    def __init__(self, copies: Sequence[Copy]) -> None:
        self.copies = copies

    def present(self, name: str) -> NDArray[np.bool_]:
        """Return where (n,) the scene holds the object of a point, body or joint such as "cup.bottom"."""
        thing = name.partition(".")[0]
        return np.array([thing in copy.layout.models for copy in self.copies])

    def pose(self, name: str) -> Floats:
        """Return world poses (n 7) of a named point, or of a body."""
        return self._where(name, lambda copy: copy.point(name))

    def point(self, name: str) -> Floats:
        """Return world positions (n 3) of a named point, or of a body's base."""
        return self.pose(name)[:, :3]

    def start(self, name: str) -> Floats:
        """Return the world pose (n 7) that a body had at reset."""
        return self._where(name, lambda copy: copy.start[copy.bodies.index(name)])

    def origin(self) -> Floats:
        """Return where heights above the table are counted from (n 3)."""
        return np.stack([copy.origin() for copy in self.copies])

    def joint_fraction(self, name: str) -> Floats:
        """Return how far (n,) an object's joint is within its range, 0 to 1."""
        return np.array([copy.joint_fraction(name) for copy in self.copies])

    def side(self, role: str) -> Floats:
        """Return -1 (n,) where the role acts on the left, 1 on the right."""
        return np.array([copy.side(role) for copy in self.copies])

    def tool(self, role: str) -> Floats:
        """Return tool poses (n 7) of the arm that plays `role`."""
        return np.stack([copy.tools()[self._arm(copy, role)] for copy in self.copies])

    def gripper(self, role: str) -> Floats:
        """Return the commanded opening (n,) of the gripper of `role`; of the least open one for "all"."""
        return np.array([self._openings(copy, role).min() for copy in self.copies])

    def gripper_contacts(self, role: str, thing: str) -> list[Floats]:
        """Return, for every copy, where (k 3) the gripper of `role` ("all": any) touches an object."""
        return [self._touch(copy, role, thing) for copy in self.copies]

    def touching(self, a: str, b: str) -> NDArray[np.bool_]:
        """Return where (n,) the bodies `a` and `b` touch; "table" is one."""
        return np.array([self._meet(copy, a, b) for copy in self.copies])

    def _where(self, name: str, read: Callable[[Copy], Floats]) -> Floats:
        known = self.copies[0].task.objects
        thing = name.partition(".")[0]
        if thing not in {o.name for o in known}:
            valid = ", ".join(o.name for o in known)
            raise SpecError(f"task {self.copies[0].task.name!r}: unknown point {name!r}; objects: {valid}")
        return np.stack([read(copy) if thing in copy.layout.models else NOWHERE for copy in self.copies])

    def _openings(self, copy: Copy, role: str) -> Floats:
        grips = np.cumsum([len(arm.links) + 1 for arm in copy.robot.arms]) - 1
        return copy.action[grips] if role == "all" else copy.action[grips[[self._arm(copy, role)]]]

    def _arm(self, copy: Copy, role: str) -> int:
        if role not in copy.layout.role_arms:
            valid = ", ".join([*copy.layout.role_arms, "all"])
            raise SpecError(f"task {copy.task.name!r}: unknown arm {role!r}; valid: {valid}")
        return [arm.name for arm in copy.robot.arms].index(copy.layout.role_arms[role])

    def _touch(self, copy: Copy, role: str, thing: str) -> Floats:
        arms = [arm.name for arm in copy.robot.arms] if role == "all" else [copy.robot.arms[self._arm(copy, role)].name]
        grips = [i for i, body in enumerate(copy.bodies) if body.partition("/")[0] in arms and "/" in body]
        parts = [i for i, body in enumerate(copy.bodies) if body.partition(".")[0] == thing]
        rows = copy.contacts(0)
        hit = np.isin(rows["a"], grips) & np.isin(rows["b"], parts)
        hit |= np.isin(rows["b"], grips) & np.isin(rows["a"], parts)
        return rows["pos"][hit].astype(float)

    def _meet(self, copy: Copy, a: str, b: str) -> bool:
        one = [i for i, body in enumerate(copy.bodies) if body.partition(".")[0] == a]
        two = [i for i, body in enumerate(copy.bodies) if body.partition(".")[0] == b]
        rows = copy.contacts(0)
        hit = np.isin(rows["a"], one) & np.isin(rows["b"], two)
        return bool((hit | (np.isin(rows["b"], one) & np.isin(rows["a"], two))).any())
