#!/usr/bin/env bash
# Sets Temper up with another Python and runs its fast tests there: tests/other_python.sh 3.12|3.13 FOLDER [COMMAND…]
#
# FOLDER is made, or reused as an earlier call left it (the copy of the checkout is renewed), and never removed here.
# COMMAND replaces `make test`. The Python is Debian 13's for 3.13 where debootstrap and root are at hand (a chroot
# in FOLDER; nothing of this machine is mounted in it), else an installed pythonX.Y or one of pyenv's.
# Skips with a reason, and exits 0, where neither is there or the disk lacks room.
set -euo pipefail
version=${1:?3.12 or 3.13} folder=$(realpath -m "${2:?a folder}")
shift 2
[ $# -gt 0 ] || set -- make test
checkout=$(cd "$(dirname "$0")/.." && pwd)
NEEDED=12 # GB of disk for the packages, their cache and Debian

skip() { echo "skipped Python $version: $1"; exit 0; }

copy_checkout() { # into the folder $1: tracked files, and new ones that git does not ignore
  local kept="$1/.venv"
  mkdir -p "$1"
  find "$1" -mindepth 1 -maxdepth 1 ! -path "$kept" -exec rm -rf {} +
  (cd "$checkout" && git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
    [ ! -e "$file" ] || printf '%s\0' "$file"
  done | tar --null --files-from=- -cf -) | tar -xf - -C "$1"
}

installed_python() { # prints the path of an interpreter of that version
  local root candidate
  root=$(pyenv root 2>/dev/null || true)
  for candidate in "$(command -v "python$version" || true)" "$root"/versions/"$version".*/bin/python3; do
    if [ -x "$candidate" ] && "$candidate" -c 'import lzma, sqlite3, ssl, venv' 2>/dev/null; then
      echo "$candidate" && return 0
    fi
  done
  return 1
}

make_debian() { # Debian 13 with Python 3.13 in $folder, from the mirror that this machine's apt uses
  [ ! -e "$folder/.debian" ] || return 0
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/*$') || skip "apt knows no mirror of Debian"
  debootstrap --variant=minbase --include=python3,python3-venv,make,git,procps,ca-certificates trixie "$folder" "$mirror"
  touch "$folder/.debian"
}

run_in_debian() {
  local bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
  make_debian
  cp -L /etc/resolv.conf "$folder/etc/resolv.conf"
  cp -L "$bundle" "$folder/etc/ssl/certs/ca-certificates.crt"
  copy_checkout "$folder/temper"
  # the namespaces end with this script, and with them the mounts and every process
  exec unshare --mount --pid --fork --kill-child bash -euc '
    mount -t proc proc "$0/proc" && mkdir -p "$0/dev/shm" && mount -t tmpfs tmpfs "$0/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$0/dev/pts" && ln -sf pts/ptmx "$0/dev/ptmx"
    exec chroot "$0" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
      sh -euc "cd /temper && python3 -V && make setup && exec \"\$@\"" sh "$@"' "$folder" "$@"
}

run_installed() {
  copy_checkout "$folder/temper"
  cd "$folder/temper"
  "$1" -V
  shift
  make setup PYTHON="$python"
  exec "$@"
}

[ "$(df -P -B 1000000000 "$(dirname "$folder")" | awk 'NR == 2 {print $4}')" -ge $NEEDED ] || [ -e "$folder/temper" ] ||
  skip "less than $NEEDED GB free for $folder"
if [ "$version" = 3.13 ] && [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null; then
  run_in_debian "$@"
elif python=$(installed_python); then
  run_installed "$python" "$@"
else
  skip "no python$version here; for 3.13 root and \`apt-get install debootstrap\` are enough"
fi
