"""What the server that forks jobs (`warm`) loads first: it ends when whoever began it has gone, and only then.

A signal to a whole process group or job (`timeout`, `scancel`) is meant for those that know how to end: without their
server, nobody could tell any more how they did.
"""

import signal

for _number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(_number, signal.SIG_IGN)
