"""Hands in motion: kinematics, ways round obstacles, grasps and goals, as generators that yield once a control step."""
