# What bash completes after time-drift and time-drift.sh. Generated: `make pages` writes it again.

_time_drift() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    # To bash --format=json is three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    local command='' words=''
    if ((COMP_CWORD == 1)); then
        words='watch probe serve verify-evidence import-servers '
    else
        case ${COMP_WORDS[1]} in
        watch | probe | serve | verify-evidence | import-servers) command=${COMP_WORDS[1]} ;;
        esac
    fi
    case $command:$before in
    :--config) compopt -o default ;;
    :--timeout) words='' ;;
    :--every) words='' ;;
    :--splay) words='' ;;
    :--format) words='integer influx json nagios prometheus zabbix' ;;
    :--output) compopt -o default ;;
    :--output-mode) words='' ;;
    :-w | :--warning) words='' ;;
    :-c | :--critical) words='' ;;
    :--nodes) words='' ;;
    watch:--config) compopt -o default ;;
    watch:--timeout) words='' ;;
    watch:--every) words='' ;;
    watch:--splay) words='' ;;
    watch:--format) words='integer influx json prometheus zabbix' ;;
    watch:--output) compopt -o default ;;
    watch:--output-mode) words='' ;;
    probe:--config) compopt -o default ;;
    probe:--targets) compopt -o default ;;
    probe:--format) words='text integer json prometheus influx nagios' ;;
    probe:--report) compopt -o default ;;
    probe:-w | probe:--warning) words='' ;;
    probe:-c | probe:--critical) words='' ;;
    serve:--config) compopt -o default ;;
    serve:--listen) words='' ;;
    *)
        case $command in
        '') words+='-h --help --config --timeout --every --splay --format --json --output --output-mode -w --warning -c --critical --explain --check-config --demo --behind-one-address --nodes -v --verbose --version' ;;
        'watch') words+='-h --help --config --timeout --every --splay --format --json --output --output-mode -v --verbose --version' ;;
        'probe') words+='-h --help --config --targets --format --summary --report -w --warning -c --critical --demo -v --verbose' ;;
        'serve') words+='-h --help --config --listen -v --verbose' ;;
        'verify-evidence') if [[ $word == -* ]]; then words+='-h --help'; else compopt -o default; fi ;;
        'import-servers') if [[ $word == -* ]]; then words+='-h --help'; else compopt -o default; fi ;;
        esac
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _time_drift time-drift time-drift.sh
