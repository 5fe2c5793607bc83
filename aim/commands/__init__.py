"""The verbs of `aim`, one file each: parse, call, print.

A verb is a function with annotated keyword arguments (tyro makes the flags from them) whose docstring
says what it does and has an `Args:` section with the help of each flag. It

* prints for people with `print` (under `--json` that goes to standard error) and reports progress with
  `aim.util.console`;
* returns a dict of plain values, the JSON object of `--json`; `ok: False` in it makes the exit code 2;
* raises `sim.types.UserError` for the user's mistake (exit 2) and lets a fault pass (exit 1). A
  `KeyboardInterrupt("kept ...")` says what an interrupted run kept (exit 130);
* imports anything heavy inside the function.

One line in `aim.cli.VERBS` registers it.
"""
