#!/bin/sh
# Runs commands of COSMO on a fresh Debian, in a chroot, where no user namespace can be entered; as root, on Debian.
#   tests/e2e/fresh_system.sh FOLDER SUITE USER SHARED COMMAND...
# FOLDER   takes the file system, made there if it is not yet (mmdebstrap), and stays for the next call
# SUITE    bookworm, trixie, forky, ...
# USER     root, who works in /root; someone, with a home; or a number, a user without a name or a home
# SHARED   size of /dev/shm, such as 64m; none for no such folder
# COMMAND  what to run in a copy of this checkout, such as ./run demo --no-serve
set -eu
folder=$1 suite=$2 user=$3 shared=$4
shift 4
cd "$(dirname "$0")/../.."
if [ ! -e "$folder/etc/debian_version" ]; then
    mmdebstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$suite" "$folder"
fi

# A system that is installed today reaches package indexes and checks their certificates as this one does.
for path in /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt /etc/pip.conf; do
    [ ! -e "$path" ] || cp -L --remove-destination "$path" "$folder$path"
done

case $user in
    root) home=/root id=0 ;;
    someone)
        home=/home/someone id=1000
        chroot "$folder" sh -c 'id someone >/dev/null 2>&1 || useradd --create-home --uid 1000 someone'
        ;;
    *) home= id=$user ;;
esac
work="${home:-/srv/$id}/a folder with blanks"
mkdir -p "$folder$work"
git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$folder$work"
chown -R "$id" "$folder$work"

unmount() {
    for place in proc dev/shm; do ! mountpoint -q "$folder/$place" || umount -l "$folder/$place"; done
}
trap unmount EXIT
mount -t proc proc "$folder/proc"
if [ "$shared" = none ]; then
    rm -rf "$folder/dev/shm"
else
    mkdir -p "$folder/dev/shm" && mount -t tmpfs -o "size=$shared,mode=1777" tmpfs "$folder/dev/shm"
fi
passed=$(env | grep -E '^(PIP_|SSL_CERT_|COSMO_|[a-z]+_proxy=)' || true)
# setsid: no terminal, as in a container that was started without one.
printf '%s\n' "${home:+HOME=$home}" "$passed" | grep . | {
    set -- sh -c 'cd "$0" && exec "$@"' "$work" "$@"
    while read -r line; do set -- "$line" "$@"; done
    setsid --wait chroot --userspec="$id:$id" "$folder" \
        env -i "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$@" </dev/null
}
