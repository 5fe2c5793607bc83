"""The scripted expert: skills, inverse kinematics, grasps, and the executor that plays a plan."""
