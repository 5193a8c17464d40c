# What fish completes after time-drift and time-drift.sh. Generated: `make pages` writes it again.

function __time_drift_command -a wanted -d 'Whether that is the command, which goes first'
    set -l typed (commandline -opc)
    set -l command $typed[2]
    contains -- "$command" watch probe serve verify-evidence import-servers
    or set command ''
    test "$command" = "$wanted"
end

function __time_drift_complete
    complete -c time-drift -c time-drift.sh $argv
end

__time_drift_complete -f
__time_drift_complete -n 'test (count (commandline -opc)) -eq 1' -a watch -d 'stay, and measure every minute'
__time_drift_complete -n 'test (count (commandline -opc)) -eq 1' -a probe -d 'read the clocks of nodes of others, from outside'
__time_drift_complete -n 'test (count (commandline -opc)) -eq 1' -a serve -d 'the same for Prometheus, as an exporter'
__time_drift_complete -n 'test (count (commandline -opc)) -eq 1' -a verify-evidence -d 'check a Roughtime malfeasance report'
__time_drift_complete -n 'test (count (commandline -opc)) -eq 1' -a import-servers -d 'make configuration of a Roughtime server list'
__time_drift_complete -n '__time_drift_command ""' -s h -l help -d 'show this help'
__time_drift_complete -n '__time_drift_command ""' -l config -r -F -d 'the configuration to use'
__time_drift_complete -n '__time_drift_command ""' -l timeout -x -d 'seconds for the whole run, over the configuration\'s'
__time_drift_complete -n '__time_drift_command ""' -l every -x -d 'with --nodes: from one run to the next, 1s to 1d; 60s if not given'
__time_drift_complete -n '__time_drift_command ""' -l splay -x -d 'wait first, a time of this machine\'s own, less than SPAN (1s to 1h), not counted by --timeout: for cron, which starts all machines together; not for agents that wait 3 s for a check'
__time_drift_complete -n '__time_drift_command ""' -l format -x -a 'integer influx json nagios prometheus zabbix' -d 'the output format: integer, influx, json, nagios, prometheus, zabbix'
__time_drift_complete -n '__time_drift_command ""' -l json -d 'the same as --format json'
__time_drift_complete -n '__time_drift_command ""' -l output -r -F -d 'write into FILE instead of stdout: whole, and also when there is no answer'
__time_drift_complete -n '__time_drift_command ""' -l output-mode -x -d 'the permissions of FILE, in octal; without it those of the file that is there, and of a new one 0644, whatever the umask'
__time_drift_complete -n '__time_drift_command ""' -s w -l warning -x -d 'nagios: WARNING if the integer is outside -N..N, or outside a range as in -1:2'
__time_drift_complete -n '__time_drift_command ""' -s c -l critical -x -d 'nagios: CRITICAL if the integer is outside -N..N, or outside a range as in -1:2'
__time_drift_complete -n '__time_drift_command ""' -l explain -d 'also show each source, its verdict and a picture, on stderr'
__time_drift_complete -n '__time_drift_command ""' -l check-config -d 'check the configuration, print who has how many votes, and stop'
__time_drift_complete -n '__time_drift_command ""' -l demo -d 'run on a built-in lab, without internet'
__time_drift_complete -n '__time_drift_command ""' -l behind-one-address -d 'with --nodes: they have one public address, as behind NAT'
__time_drift_complete -n '__time_drift_command ""' -l nodes -x -d 'with --check-config: also print how often N nodes ask whom, and which published limits that passes'
__time_drift_complete -n '__time_drift_command ""' -s v -l verbose -d 'one line a source on stderr; tracebacks'
__time_drift_complete -n '__time_drift_command ""' -l version -d 'show the version'
__time_drift_complete -n '__time_drift_command "watch"' -s h -l help -d 'show this help'
__time_drift_complete -n '__time_drift_command "watch"' -l config -r -F -d 'the configuration to use'
__time_drift_complete -n '__time_drift_command "watch"' -l timeout -x -d 'seconds for the whole run, over the configuration\'s'
__time_drift_complete -n '__time_drift_command "watch"' -l every -x -d 'from one measurement to the next, 1s to 1d, as in 60s, 5m, 1h'
__time_drift_complete -n '__time_drift_command "watch"' -l splay -x -d 'before the schedule begins, wait a time of this machine\'s own, less than SPAN (1s to 1h): for machines that start together'
__time_drift_complete -n '__time_drift_command "watch"' -l format -x -a 'integer influx json prometheus zabbix' -d 'the output format: integer, influx, json, prometheus, zabbix'
__time_drift_complete -n '__time_drift_command "watch"' -l json -d 'the same as --format json'
__time_drift_complete -n '__time_drift_command "watch"' -l output -r -F -d 'write into FILE instead of stdout: whole, and also when there is no answer'
__time_drift_complete -n '__time_drift_command "watch"' -l output-mode -x -d 'the permissions of FILE, in octal; without it those of the file that is there, and of a new one 0644, whatever the umask'
__time_drift_complete -n '__time_drift_command "watch"' -s v -l verbose -d 'one line a source on stderr; tracebacks'
__time_drift_complete -n '__time_drift_command "watch"' -l version -d 'show the version'
__time_drift_complete -n '__time_drift_command "probe"' -s h -l help -d 'show this help'
__time_drift_complete -n '__time_drift_command "probe"' -l config -r -F -d 'the configuration to use'
__time_drift_complete -n '__time_drift_command "probe"' -l targets -r -F -d 'targets from a file_sd file of Prometheus, JSON or YAML; can be repeated'
__time_drift_complete -n '__time_drift_command "probe"' -l format -x -a 'text integer json prometheus influx nagios' -d 'text, integer, json, prometheus, influx, nagios'
__time_drift_complete -n '__time_drift_command "probe"' -l summary -d 'the health of each chain instead of each node'
__time_drift_complete -n '__time_drift_command "probe"' -l report -r -F -d 'also write a page for browsers'
__time_drift_complete -n '__time_drift_command "probe"' -s w -l warning -x -d 'nagios: WARNING if an integer is outside -N..N, or a range as in -1:2'
__time_drift_complete -n '__time_drift_command "probe"' -s c -l critical -x -d 'nagios: CRITICAL if an integer is outside -N..N, or a range as in -1:2'
__time_drift_complete -n '__time_drift_command "probe"' -l demo -d 'read a lab\'s nodes, without internet'
__time_drift_complete -n '__time_drift_command "probe"' -s v -l verbose -d 'tracebacks of bugs'
__time_drift_complete -n '__time_drift_command "serve"' -s h -l help -d 'show this help'
__time_drift_complete -n '__time_drift_command "serve"' -l config -r -F -d 'the configuration to use'
__time_drift_complete -n '__time_drift_command "serve"' -l listen -x -d 'where to listen; 127.0.0.1:9712 if not given. Whoever reaches it can have public addresses connected to, and those that [probe] allow has'
__time_drift_complete -n '__time_drift_command "serve"' -s v -l verbose -d 'tracebacks of bugs'
__time_drift_complete -n '__time_drift_command "verify-evidence"' -F
__time_drift_complete -n '__time_drift_command "verify-evidence"' -s h -l help -d 'show this help'
__time_drift_complete -n '__time_drift_command "import-servers"' -F
__time_drift_complete -n '__time_drift_command "import-servers"' -s h -l help -d 'show this help'
