"""Run a command and write what it cost, from a process that is itself small.

    python3 -I -S launcher.py DESCRIPTOR COMMAND...

writes user and system seconds, wall seconds, peak kilobytes and the exit status to DESCRIPTOR

The kernel counts to a process what the one that it was forked from held, so that nothing seems
smaller than its parent: here, an empty interpreter.
"""

import os
import sys
import time


def main() -> None:
    """Run it; its stdin, stdout and stderr are ours."""
    descriptor, command = int(sys.argv[1]), sys.argv[2:]
    began_s = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    wall_s = time.perf_counter() - began_s
    code = os.waitstatus_to_exitcode(status)
    cost = f"{usage.ru_utime + usage.ru_stime} {wall_s} {usage.ru_maxrss} {code}"
    os.write(descriptor, cost.encode())


if __name__ == "__main__":
    main()
