# shellcheck shell=bash
# What every finding starts with: a folder that goes away, pinned packages in it or exit 3, and a place of its own to
# run them in. Sourced, never run.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
name=$(basename "$0" .sh)
differences=0

if [[ -z ${FINDING_FOLDER:-} ]]; then
    FINDING_FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/finding-$name.XXXXXX")
    export FINDING_FOLDER
    inner=
    # Whatever was started and is still there goes with the script: end it, then its folder.
    leave() {
        local jobs_left
        jobs_left=$(jobs -p)
        [[ -z $jobs_left ]] || kill $jobs_left 2>/dev/null || true
        wait 2>/dev/null || true
        rm -rf "$FINDING_FOLDER"
    }
    trap leave EXIT
else
    inner=yes
fi
folder=$FINDING_FOLDER
PATH=$folder/venv/bin:$PATH

# skip REASON: what the finding is about is not to be had here.
skip() {
    echo "$name: skipped: $*"
    exit 3
}

# pypi [--target FOLDER] NAME==VERSION...: a virtual environment of these, first in PATH; or beside it in that folder.
pypi() {
    [[ -z $inner ]] || return 0
    [[ -d $folder/venv ]] || python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" -q --disable-pip-version-check install "$@" >"$folder/pip.log" 2>&1 || skip "no $* from PyPI"
}

# npm_packages NAME@VERSION...: under node_modules of the folder. Install scripts of packages are not run.
npm_packages() {
    [[ -z $inner ]] || return 0
    command -v node >/dev/null && command -v npm >/dev/null || skip "no Node.js"
    (cd "$folder" && npm install --no-audit --no-fund --ignore-scripts "$@" >npm.log 2>&1) || skip "no $* from npm"
}

# debian NAME=VERSION...: the packages and what they need, unpacked under root/; `alone` lays root/usr over /usr.
debian() {
    [[ -z $inner ]] || return 0
    command -v apt-get >/dev/null || skip "no apt-get"
    local -a quiet=(-q -y -o "Dir::Cache::archives=$folder/debs" -o Debug::NoLocking=1 -o APT::Sandbox::User=root)
    mkdir -p "$folder/debs" "$folder/root"
    apt-get "${quiet[@]}" --no-install-recommends --allow-downgrades --download-only --reinstall install "$@" \
        >"$folder/apt.log" 2>&1 || skip "no $* from Debian (apt-get update first)"
    local package
    for package in "$folder"/debs/*.deb; do dpkg-deb -x "$package" "$folder/root"; done
}

# alone SECONDS: from here on in mount, network and process namespaces of its own, for so long at most; all that was
# started ends with it. Loopback is up and every port of it free.
alone() {
    if [[ -z $inner ]]; then
        [[ $(id -u) == 0 ]] || skip "not root"
        unshare -mnpf true 2>/dev/null || skip "no namespaces"
        local result=0
        timeout -k 5 "$1" unshare -mnpf --kill-child --mount-proc --propagation private "$(realpath "$0")" || result=$?
        [[ $result != 124 ]] || echo "$name: took longer than $1 s"
        exit "$result"
    fi
    ip link set lo up
    if [[ -d $folder/root/usr ]]; then mount -t overlay overlay -o "lowerdir=$folder/root/usr:/usr" /usr; fi
    mount -t tmpfs none /dev/shm
    chmod 777 "$folder" # daemons that will not be root work in it
    cd "$folder"
}

# hosts "ADDRESS NAME"...: what the system's resolver knows from here on, and nothing else.
hosts() {
    echo "hosts: files" >nsswitch.conf
    printf '%s\n' "127.0.0.1 localhost" "$@" >hosts
    mount --bind nsswitch.conf /etc/nsswitch.conf
    mount --bind hosts /etc/hosts
}

# serving LOG COMMAND...: starts a server, and waits until it says in LOG that it is ready.
serving() {
    "${@:2}" 2>"$1" &
    until grep -q ready "$1" 2>/dev/null; do
        kill -0 $! || exit 1
        sleep 0.05
    done
}

# authority PORT ANSWERS: an authoritative server on loopback (authority.py); its queries are lines of queries.jsonl.
authority() {
    echo "$2" >"$folder/answers.json"
    : >"$folder/queries.jsonl"
    serving "$folder/authority.log" python "$here/authority.py" "$1" "$folder/answers.json" "$folder/queries.jsonl"
}

# endpoints PORT ADDRESS...: HTTP servers that answer with their address, a request a connection (endpoints.py).
endpoints() { serving "$folder/endpoints.log" python "$here/endpoints.py" "$@"; }

# ecs_unbound PORT ADDRESS...: unbound at these addresses, which tells the authority at 127.0.0.1:5353 its clients' networks.
ecs_unbound() {
    cat >unbound.conf <<CONF
server:
    module-config: "subnetcache iterator"
$(printf "    interface: %s@$1\n" "${@:2}")
    access-control: 0.0.0.0/0 allow
    access-control: ::/0 allow
    do-not-query-localhost: no
    send-client-subnet: 127.0.0.1
    local-zone: "test." nodefault
    username: ""
    chroot: ""
    pidfile: ""
    directory: "$folder"
    use-syslog: no
stub-zone:
    name: example.test
    stub-addr: 127.0.0.1@5353
CONF
    unbound -d -c unbound.conf >unbound.log 2>&1 &
}

# asked OWNER TYPE: how often the authority was asked that.
asked() {
    python - "$folder/queries.jsonl" "$1" "$2" <<'PY'
import json
import sys

path, owner, rtype = sys.argv[1:]
print(sum((query["name"], query["type"]) == (owner, rtype) for query in map(json.loads, open(path))))
PY
}

# within SECONDS COMMAND...: waits until the command succeeds.
within() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= end)); then
            echo "$name: waited in vain for: $*"
            exit 1
        fi
        sleep 0.1
    done
}

# seen WHAT WANTED GOT: prints it; another value than the one once observed makes the finding fail at `finish`.
seen() {
    if [[ $3 == "$2" ]]; then
        echo "  $1: $3"
    else
        echo "  $1: $3, where it was: $2"
        differences=$((differences + 1))
    fi
}

finish() {
    if ((differences)); then
        echo "$name: $differences observations differ"
        exit 1
    fi
    echo "$name: as observed"
}
