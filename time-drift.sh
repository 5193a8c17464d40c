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
        [ -z "${unblocked-}" ] || trap '' INT # forgotten rather than answered with a traceback
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
# One pool of memory: for each thread glibc sets 64 MB of addresses aside, of which some have few.
export TIME_DRIFT_STARTED MALLOC_ARENA_MAX=1

PATH=${PATH:-/usr/local/bin:/usr/bin:/bin}
case $0 in
*/*) self=$0 ;;
*) self=./$0 ;;
esac
if [ -h "$self" ]; then
    # shellcheck disable=SC3013 # -ef, as -nt and -ot below: in POSIX since 2024, in every sh long before
    if [ "$self" -ef /usr/lib/time-drift/time-drift.sh ]; then # the package's: not a process for it
        self=/usr/lib/time-drift/time-drift.sh
    else
        self=$(readlink -f -- "$self")
    fi
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

fail() {
    if [ -n "$plugin" ]; then
        printf 'TIME DRIFT UNKNOWN - %.480s\n' "$2"
        exit 3
    fi
    printf 'time-drift: %.480s\n' "$2" >&2
    exit "$1"
}

# start PYTHON PACKAGES ENV ARGUMENT...: become the program. -I: nothing of the user's environment
# or directory gets in. -S: no site, it costs 3 ms. ENV, if it is there, can block signals.
start() {
    python=$1 packages=$2 env=$3
    shift 3
    set -- "$python" -I -S -c '
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
from os.path import realpath
here = realpath(sys.argv.pop(1))  # a link to the next release may be put in its place meanwhile
sys.path += here, here + "/" + sys.argv.pop(1)
from drift.__main__ import main
main()' "$plugin" "$here" "$packages" "$@"
    # Until these lines run, signals wait: Python answers them with a traceback while it starts.
    if [ -z "$plugin" ] && [ -x "$env" ]; then
        set -- "$env" --block-signal=INT,TERM "$@"
    elif [ -z "$plugin" ]; then
        unblocked=yes
    fi
    run "$@"
}

# find_python VERSION...: one of these by its name, which costs no process. What else PATH has may be
# a version manager's, and is tried first.
find_python() {
    for version; do
        for python in "/usr/bin/python$version" "/usr/local/bin/python$version"; do
            [ -n "${TIME_DRIFT_PYTHON-}" ] || [ ! -x "$python" ] || return 0
        done
    done
    for python in "${TIME_DRIFT_PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
        "$python" -I -S -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] not in sys.argv)' "$@" \
            >/dev/null 2>&1 && return
        [ -z "${TIME_DRIFT_PYTHON-}" ] || fail 2 "TIME_DRIFT_PYTHON=$TIME_DRIFT_PYTHON: not a Python that runs, of these versions: $*"
    done
    fail 2 "no Python of these versions found: $*: install one, or name it in TIME_DRIFT_PYTHON"
}

# A package of Debian's kind, or a bundle, brings its packages, for these versions of Python.
if { read -r versions <"$here/pythons"; } 2>/dev/null; then
    # shellcheck disable=SC2086 # words
    find_python $versions
    start "$python" packages "$here/env" "$@"
fi

lock=$here/requirements.txt
venv=$here/.venv
stamp=$venv/lock.stamp # a copy of the lock it was made from, with the lock's own date

# The lock has changed if its date has, either way, unless its content then turns out the same.
# shellcheck disable=SC3013 # -nt and -ot: in POSIX since 2024, in every sh long before
if [ -x "$venv/bin/python" ] && [ -e "$stamp" ] &&
    { [ -n "${TIME_DRIFT_PREPARED-}" ] || ! [ "$lock" -nt "$stamp" ] && ! [ "$lock" -ot "$stamp" ] ||
        cmp -s "$lock" "$stamp" 2>/dev/null; }; then
    start "$venv/bin/python" .venv/packages "$venv/bin/env" "$@"
fi

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
