# Shared by the scripts here: finds a Python, makes .venv and keeps what is installed in step with the sources.
# LBDNS_PYTHON=3.13 chooses another Python and an environment of its own beside it, .venv-3.13.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv="$root/.venv${LBDNS_PYTHON:+-$LBDNS_PYTHON}"
python="$venv/bin/python"
# Images of containers often say that no bytecode is to be kept. Then each process of each server that is started
# compiles hundreds of modules anew, a quarter to a third of what a start costs.
unset PYTHONDONTWRITEBYTECODE

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Print the names under which a Python may be found, the newest first; of one version alone where $1 names it. Those that
# pyenv has but does not show on PATH are among them where a version is named, or all are asked for.
python_names() {
  local minor wanted=${1:-}
  for minor in 16 15 14 13 12 11; do
    [ -z "$wanted" ] || [ "$wanted" = all ] || [ "$wanted" = "3.$minor" ] || continue
    echo "python3.$minor"
    if [ -n "$wanted" ] && command -v pyenv >/dev/null 2>&1; then
      ls -d "$(pyenv root)/versions/3.$minor."*"/bin/python3.$minor" 2>/dev/null | sort -Vr
    fi
  done
  [ -n "$wanted" ] || printf 'python3\npython\n'
}

# Print the newest Python that is at least 3.11 and can make a virtual environment: of those on PATH, or of version $1.
find_python() {
  local name seen=""
  for name in $(python_names "${1:-}"); do
    command -v "$name" >/dev/null 2>&1 || continue
    seen="$seen $name ($("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null))"
    "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue
    if "$name" -c 'import venv, ensurepip' >/dev/null 2>&1; then
      command -v "$name"
      return
    fi
    printf '%s cannot make virtual environments (on Debian: apt-get install %s-venv); looking further\n' "$name" "$name" >&2
  done
  die "lbdns needs Python ${1:-3.11 or newer} with venv; found:${seen:- none}"
}

# Digest of whatever decides what must be installed or compiled.
install_digest() {
  (
    cd "$root" || exit 1
    printf '%s\n' "${LBDNS_PURE:-}" "$("$python" -VV)"
    cat pyproject.toml setup.py constraints.txt
    find lbdns -name '*.pxd' -o -name '*.pyx' | LC_ALL=C sort | while read -r source; do
      cat "$source" "${source%.pxd}.py" 2>/dev/null
      # What setup.py writes headers of C from; the text of the road (setup.py) it writes from modules that have a .pxd.
      sed -nE 's|^from (lbdns[^ ]*) cimport [*]$|\1|p; s|^include "(lbdns[^ ]*)[.]pxi"$|\1|p' "$source" |
        tr . / | while read -r header; do [ ! -f "$header.py" ] || cat "$header.py"; done
    done
  ) | sha256sum | cut -d' ' -f1
}

# Print the packages of an extra, a line each.
extra_packages() {
  "$python" - "$root/pyproject.toml" "$1" <<'PY'
import sys, tomllib
with open(sys.argv[1], "rb") as file:
    extras = tomllib.load(file)["project"]["optional-dependencies"]
def packages(extra):
    for item in extras[extra]:
        if item.startswith("lbdns["):
            yield from packages(item[len("lbdns["):-1])
        else:
            yield item
print("\n".join(packages(sys.argv[2])))
PY
}

# Make .venv where there is none, and install lbdns into it, editable, with the extra $1: "run" for none, test, dev. What
# it needs comes in the releases that constraints.txt names.
# What is installed already is left alone until the sources that decide about it change.
ensure_installed() {
  local extra=$1 digest have suffix log="$venv/lbdns-install.log"
  [ -x "$python" ] || {
    local found
    found=$(find_python "${LBDNS_PYTHON:-}") || exit 1
    echo "making $(basename "$venv") with $found"
    "$found" -m venv "$venv" || die "$found cannot make $venv"
  }
  digest=$(install_digest)
  have=$(cd "$venv" && grep -lx "$digest" lbdns-run lbdns-test lbdns-dev 2>/dev/null | tr '\n' ' ') || true
  case "$extra:$have" in
    *"lbdns-$extra "* | *:*lbdns-dev* | run:*lbdns-*) return ;;
  esac
  if [ -n "$have" ]; then
    echo "installing what lbdns[$extra] needs beside it"
    extra_packages "$extra" |
      "$python" -m pip install --quiet --constraint "$root/constraints.txt" --requirement /dev/stdin >"$log" 2>&1
  else
    echo "installing lbdns into $(basename "$venv") (a minute or two the first time)"
    rm -f "$venv"/lbdns-run "$venv"/lbdns-test "$venv"/lbdns-dev
    # Each Python has extensions of its own beside the sources, by their suffix.
    suffix=$("$python" -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')
    find "$root/lbdns" \( -name "*$suffix" -o -name '*.c' \) -delete
    local what=$root
    [ "$extra" = run ] || what="$root[$extra]"
    "$python" -m pip install --quiet --constraint "$root/constraints.txt" --editable "$what" >"$log" 2>&1
  fi || {
    tail -n 30 "$log" >&2
    die "installing failed; the whole story is in $log"
  }
  echo "$digest" >"$venv/lbdns-$extra"
}
