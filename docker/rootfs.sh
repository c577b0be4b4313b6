#!/bin/sh
# Makes the root tree of the container: docker/rootfs.sh BINARY TREE, as root.
#
# The program, the shared libraries that it names, certificate authorities, one person without
# rights, and nothing else: no shell, no package manager. The Dockerfile's last stage is this tree;
# tests/peers/container.sh starts the program in it, so what is tested is what ships.
set -eu

binary=$1
tree=$2
id=10001

mkdir -p "$tree"
if [ -n "$(ls -A "$tree")" ]; then
  echo "$tree is not empty" >&2
  exit 1
fi

install -D -m 0755 "$binary" "$tree/usr/bin/portcullis"

# The third word of `lib => /path (address)`, and the loader, which stands alone. Each is copied as a
# file to where the program looks for it; the vDSO has no file.
ldd "$binary" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }' | sort -u |
  while read -r library; do
    install -D -m 0755 "$(readlink -f "$library")" "$tree$library"
  done

# Names are looked up by glibc, which since 2.34 has its file and DNS services inside.
mkdir -p "$tree/etc/portcullis" "$tree/etc/ssl/certs"
echo 'hosts: files dns' >"$tree/etc/nsswitch.conf"
printf 'root:x:0:0:root:/:/nonexistent\nportcullis:x:%d:%d:Portcullis:/var/lib/portcullis:/nonexistent\n' $id $id >"$tree/etc/passwd"
printf 'root:x:0:\nportcullis:x:%d:\n' $id >"$tree/etc/group"

# The machine's authorities, for providers and for an upstream with https.
install -m 0644 /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/ca-certificates.crt"

# What the person may write to: state, and a place for what is thrown away.
install -d -o $id -g $id -m 0750 "$tree/var/lib/portcullis"
install -d -m 1777 "$tree/tmp"
