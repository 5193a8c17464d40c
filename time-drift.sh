#!/bin/sh
# Print this machine's clock minus true time, in whole seconds: -4 means 4 seconds BEHIND.
#
# The monitored entry point: finds the environment, or makes it on the very first run, then
# becomes the program (see --help). Until then it starts no process: this is run every minute.

# A plugin of Nagios says on stdout why it is UNKNOWN, and 2 would be CRITICAL: drift/plugin.py has
# the same rule, a test holds both to it.
plugin=
case " $* " in
*' --format '[Nn][Aa][Gg][Ii][Oo][Ss]' '* | *' --format='[Nn][Aa][Gg][Ii][Oo][Ss]' '*) plugin=yes ;;
esac
leave() {
    [ -z "$plugin" ] || { echo 'TIME DRIFT UNKNOWN - no answer: ended by a signal' && exit 3; }
    exit "$1"
}
# shellcheck disable=SC2317 # by the traps
ended() {
    [ -n "$!" ] || leave "$1"
    # What runs beneath is ended, and waited for below. In its first moment it is a copy of this
    # shell still, which would forget a TERM.
    { read -r name <"/proc/$!/comm" || name=; } 2>/dev/null
    case $name in
    '' | python*) kill -TERM "$!" ;;
    *) kill -KILL "$!" ;;
    esac 2>/dev/null
}
trap 'ended 143' TERM
trap 'ended 130' INT

# run COMMAND...: become it. Over a plugin's run a shell stays, because until its Python has
# handlers a signal ends it without a line, and with 143.
run() {
    if [ -z "$plugin" ] || [ -n "${TIME_DRIFT_PREPARED-}" ]; then # or there is such a shell
        trap - INT TERM # a trap would forget what comes while we become another program
        exec "$@"
    fi
    if { :; } 2>/dev/null 9<&0; then # in the background it would have no stdin otherwise
        { "$@" <&9 9<&- & } 9<&0
    else
        "$@" &
    fi
    wait "$!" 2>/dev/null
    status=$?
    while [ "$status" -gt 128 ] && kill -0 "$!" 2>/dev/null; do # it was the wait that was ended
        wait "$!" 2>/dev/null
        status=$?
    done
    if [ "$status" -gt 128 ]; then # it may have ended just then: its own status is still known
        wait "$!" 2>/dev/null
        status=$?
    fi
    [ "$status" -le 3 ] || leave "$status"
    exit "$status"
}

# The deadline counts from here. /proc/uptime is the one clock that a shell can read by itself.
# One redirection at a time: with 12 descriptors left, dash loses stdin over a second one.
TIME_DRIFT_STARTED=
[ ! -r /proc/uptime ] || read -r TIME_DRIFT_STARTED _ </proc/uptime
export TIME_DRIFT_STARTED

PATH=${PATH:-/usr/local/bin:/usr/bin:/bin}
case $0 in
*/*) self=$0 ;;
*) self=./$0 ;;
esac
if [ -h "$self" ]; then
    self=$(readlink -f -- "$self")
fi
here=${self%/*}/
case $here in
/*) ;;
*) here=$PWD/$here ;;
esac
while :; do # paths are in messages: without what leads nowhere
    case $here in
    */./*) here=${here%%/./*}/${here#*/./} ;;
    *) break ;;
    esac
done
here=${here%/}

lock=$here/requirements.txt
venv=$here/.venv
stamp=$venv/lock.stamp # a copy of the lock it was made from, with the lock's own date

# The lock has changed if its date has, either way, unless its content then turns out the same.
# shellcheck disable=SC3013 # -nt and -ot: in POSIX since 2024, in every sh long before
if [ -x "$venv/bin/python" ] && [ -e "$stamp" ] &&
    { [ -n "${TIME_DRIFT_PREPARED-}" ] || ! [ "$lock" -nt "$stamp" ] && ! [ "$lock" -ot "$stamp" ] ||
        cmp -s "$lock" "$stamp" 2>/dev/null; }; then
    # -I: nothing of the user's environment or directory gets in. -S: no site, it costs 3 ms.
    set -- "$venv/bin/python" -I -S -c '
import _signal, posix, sys
plugin = sys.argv.pop(1)
def leave(number, _):
    for other in 2, 15:
        _signal.signal(other, _signal.SIG_IGN)  # twice is as good as once
    if plugin:
        posix.write(1, b"TIME DRIFT UNKNOWN - no answer: ended by a signal\n")
    posix._exit(3 if plugin else 128 + number)
for number in 2, 15:  # before anything else: the first process of a container has no defaults
    _signal.signal(number, leave)
_signal.pthread_sigmask(_signal.SIG_UNBLOCK, (2, 15))
sys.path += sys.argv[1:3]
del sys.argv[1:3]
from drift.__main__ import main
main()' "$plugin" "$here" "$venv/packages" "$@"
    # Until these lines run, signals wait: Python answers them with a traceback while it starts.
    [ -z "$plugin" ] && [ -x "$venv/bin/env" ] && set -- "$venv/bin/env" --block-signal=INT,TERM "$@"
    run "$@"
fi

fail() {
    if [ -n "$plugin" ]; then
        printf 'TIME DRIFT UNKNOWN - %.480s\n' "$2"
        exit 3
    fi
    printf 'time-drift: %.480s\n' "$2" >&2
    exit "$1"
}

# bootstrap PYTHON ARGUMENT...: if it is fit, make the environment, which starts us again.
bootstrap() {
    "$1" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || return 0
    fit=$1
    "$1" -I -c 'import ensurepip, venv' >/dev/null 2>&1 || return 0
    shift
    run "$fit" -I "$here/drift/bootstrap.py" "$lock" "$venv" /bin/sh "$here/time-drift.sh" "$@"
}

[ -z "${TIME_DRIFT_PREPARED-}" ] || fail 3 "the environment was prepared but does not work: $venv"
fit=
if [ -n "${TIME_DRIFT_PYTHON-}" ]; then
    bootstrap "$TIME_DRIFT_PYTHON" "$@"
    [ -n "$fit" ] || fail 2 "TIME_DRIFT_PYTHON=$TIME_DRIFT_PYTHON: not a Python 3.11 or newer that runs"
else
    # The system's own first: every user of the machine can run it, and no version manager removes it.
    for candidate in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
        bootstrap "$candidate" "$@"
    done
    [ -n "$fit" ] || fail 2 'no Python 3.11 or newer found: install one, or name it in TIME_DRIFT_PYTHON'
fi
fail 3 "$fit has no venv module: install it (Debian, Ubuntu: apt-get install python3-venv)"
