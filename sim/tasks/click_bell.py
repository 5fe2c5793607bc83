"""Press the button of a desk bell with a closed gripper."""

from sim.spec import Arm, Object, Shape, Skill, Spawn, Task, Term

TASK = Task(
    name="click_bell",
    suite="robotwin50",
    instructions=(
        "press the top of the bell",
        "ring the desk bell",
        "click the bell with {a}",
        "use {a} to push the button on the bell",
        "tap the bell once",
    ),
    objects=(
        Object(
            "bell",
            variants=(
                Shape("bell", {"radius": 0.040, "height": 0.050}),
                Shape("bell", {"radius": 0.034, "height": 0.056}),
            ),
            spawn=Spawn(x=(-0.25, 0.25), y=(-0.2, 0.0), min_abs_x=0.05),
            fixed=True,
        ),
    ),
    arms=(Arm("a", "side:bell"),),
    success=(Term("pressed", {"arm": "a", "point": "bell.top", "xy": 0.025, "z": 0.03}, latch=True),),
    plan=(Skill("press", {"arm": "a", "point": "bell.top", "pre": 0.1}),),
    horizon=400,
)
