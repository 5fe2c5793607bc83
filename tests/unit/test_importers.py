"""Arms from URDF and MJCF files: the imported chain moves as MuJoCo moves the file, limits and masses are its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest

from sim import robots
from sim.embodiment.importers import ArmChain, import_arm
from sim.embodiment.kinematics import KinematicChain
from sim.embodiment.validate import validate_fields
from sim.task.spec import SpecError

# two hinges and a flange; the upper arm's shape is a file that nobody has; a finger slides beyond the flange
URDF = """
<robot name="two">
  <link name="base"><inertial><mass value="3"/>
    <inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <link name="upper"><inertial><mass value="2"/><origin xyz="0.2 0 0"/>
    <inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial>
    <visual><geometry><mesh filename="package://nowhere/upper.stl"/></geometry></visual>
    <collision><geometry><mesh filename="package://nowhere/upper.stl"/></geometry></collision></link>
  <link name="fore"><inertial><mass value="1"/>
    <inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <link name="flange"><inertial><mass value="0.25"/>
    <inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <link name="finger"><inertial><mass value="0.1"/>
    <inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <joint name="shoulder" type="revolute"><parent link="base"/><child link="upper"/>
    <origin xyz="0.1 0 0.3" rpy="0.3 0 1.2"/><axis xyz="0 1 0"/>
    <limit lower="-1" upper="2" effort="40" velocity="3"/></joint>
  <joint name="elbow" type="continuous"><parent link="upper"/><child link="fore"/>
    <origin xyz="0.4 0 0" rpy="1.1 0 0"/><axis xyz="0 0 1"/></joint>
  <joint name="mount" type="fixed"><parent link="fore"/><child link="flange"/>
    <origin xyz="0 0.02 0.25" rpy="0 0.5 0"/></joint>
  <joint name="grip" type="prismatic"><parent link="flange"/><child link="finger"/><axis xyz="0 1 0"/>
    <limit lower="0" upper="0.04" effort="10" velocity="1"/></joint>
</robot>
"""
# joints beside their bodies' origins, a reference that is not 0, degrees, a slanted axis, masses from shapes
MJCF = """
<mujoco>
  <worldbody>
    <body name="base" pos="0.2 0 0.1" euler="0 0 30">
      <body name="one" pos="0 0 0.2">
        <joint name="pan" axis="0 0 1" pos="0.01 0.02 0" range="-170 170" ref="25"/>
        <geom type="capsule" size="0.03" fromto="0 0 0 0 0.3 0" mass="1.5"/>
        <body name="two" pos="0 0.3 0" euler="20 0 10">
          <joint name="lift" axis="1 1 0" pos="0 0 0.03" range="-90 100"/>
          <geom type="capsule" size="0.03" fromto="0 0 0 0.25 0 0" mass="0.75"/>
          <body name="three" pos="0.25 0 0">
            <joint name="roll" axis="1 0 0" range="-180 180"/>
            <geom type="box" size="0.02 0.02 0.02" mass="0.5"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator><motor joint="lift" forcerange="-33 33"/></actuator>
</mujoco>
"""
FILES = {"two.urdf": (URDF, "flange"), "three.xml": (MJCF, "")}


def write_file(folder: Path, name: str) -> tuple[Path, str]:
    """Write one of the files and return its path and the name of the tip."""
    text, tip = FILES[name]
    path = folder / name
    path.write_text(text)
    return path, tip


def attach(chain: ArmChain) -> KinematicChain:
    """Kinematics of an imported chain whose tool is the tip and whose base is the file's world."""
    arm = replace(
        robots.load_robot("panda").arms[0],
        base_pos=(0.0, 0.0, 0.0),
        base_quat=(1.0, 0.0, 0.0, 0.0),
        links=chain.links,
        tool_pos=chain.tip_pos,
        tool_quat=chain.tip_quat,
        home=(0.0,) * len(chain.links),
    )
    return KinematicChain(arm)


@pytest.mark.parametrize("name", FILES)
def test_the_imported_chain_moves_as_mujoco_moves_the_file(name: str, tmp_path: Path) -> None:
    path, tip = write_file(tmp_path, name)
    chain = import_arm(path, tip)
    spec = mujoco.MjSpec.from_file(str(path))
    for geom in [geom for geom in spec.geoms if geom.type == mujoco.mjtGeom.mjGEOM_MESH]:
        spec.delete(geom)
    for mesh in list(spec.meshes):
        spec.delete(mesh)
    spec.compiler.fusestatic = False
    model = spec.compile()
    data, rng, kinematics = mujoco.MjData(model), np.random.default_rng(0), attach(chain)
    for _ in range(20):
        q = rng.uniform(-1.0, 1.0, len(chain.links))
        for joint, value in zip(chain.joint_names, q, strict=True):
            data.joint(joint).qpos = value
        mujoco.mj_kinematics(model, data)
        pose = kinematics.compute_tool_pose(q)
        body = data.body(tip or "three")
        np.testing.assert_allclose(pose[:3], body.xpos, atol=1e-9)
        assert abs(pose[3:] @ body.xquat) > 1 - 1e-9


def test_ranges_torques_and_masses_are_the_files(tmp_path: Path) -> None:
    shoulder, elbow = import_arm(*write_file(tmp_path, "two.urdf")).links
    assert shoulder.range == (-1.0, 2.0) and elbow.range == (-2 * np.pi, 2 * np.pi)
    assert (shoulder.mass, elbow.mass) == (2.0, 1.25)  # the flange is fixed to the forearm, the finger is not
    assert (shoulder.max_torque, elbow.max_torque) == (40.0, 100.0)
    assert elbow.geoms[0].ends == ((0.0, 0.0, 0.0), pytest.approx((0.0, 0.02, 0.25)))
    pan, lift, roll = import_arm(*write_file(tmp_path, "three.xml")).links
    assert pan.range == pytest.approx((-np.radians(170), np.radians(170)))
    assert (pan.mass, lift.mass, roll.mass) == (1.5, 0.75, 0.5)
    assert lift.max_torque == 33.0
    np.testing.assert_allclose(lift.axis, (np.sqrt(0.5), np.sqrt(0.5), 0.0))


def test_imported_links_are_valid_links(tmp_path: Path) -> None:
    panda = robots.load_robot("panda")
    for name in FILES:
        chain = import_arm(*write_file(tmp_path, name))
        arm = replace(panda.arms[0], links=chain.links, home=(0.0,) * len(chain.links))
        validate_fields(replace(panda, arms=(arm,)))


SLIDE = MJCF.replace('name="roll" axis', 'name="roll" type="slide" axis')
TWO_JOINTS = MJCF.replace('<joint name="roll"', '<joint name="spin" axis="0 1 0"/><joint name="roll"')
TWO_ENDS = MJCF.replace('<body name="three"', '<body name="ear"/><body name="three"')


@pytest.mark.parametrize(("text", "tip", "says"), [
    (URDF, "", "the joint 'grip' to 'finger' is a slide joint; valid: hinges, with the gripper's fingers beyond the"),
    (URDF, "hand", "unknown body 'hand'; valid: base, upper, fore, flange, finger"),
    (URDF, "base", "no joint leads to the body 'base'"),
    (SLIDE, "", "the joint 'roll' to 'three' is a slide joint; valid: hinges"),
    (TWO_JOINTS, "", "the body 'three' has 2 joints; valid: one hinge a body"),
    (TWO_ENDS, "", "has 2 ends (ear, three); name the arm's last body as tip"),
    ("<mujoco><worldbody><bodi/></worldbody></mujoco>", "", "unrecognized element"),
    ("no robot at all", "", "arm.xml: "),
])  # fmt: skip
def test_what_is_no_serial_arm_is_refused_in_one_line(text: str, tip: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "arm.xml"
    path.write_text(text)
    with pytest.raises(SpecError) as caught:
        import_arm(path, tip)
    assert says in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"there is no file .*missing\.urdf"):
        import_arm(tmp_path / "missing.urdf")


def test_a_link_is_as_heavy_as_all_that_is_fixed_to_it(tmp_path: Path) -> None:
    names, masses = ("lamp", "bracket", "flange"), (0.1, 0.2, 0.4)
    inner = ""
    for name, mass in zip(names, masses, strict=True):  # each fixed to the next
        inner = f'<body name="{name}"><geom size="0.01" mass="{mass}"/>{inner}</body>'
    file = tmp_path / "arm.xml"
    file.write_text(
        '<mujoco><worldbody><body name="arm"><joint name="pan"/><geom size="0.02" mass="1.5"/>'
        f"{inner}</body></worldbody></mujoco>"
    )
    assert import_arm(file, "flange").links[0].mass == pytest.approx(1.5 + sum(masses))
