#!/bin/sh
# Makes the certificates in this folder anew: an authority whose key is thrown away, what it signed, and one that nobody signed.
# They hold from 2020 to 2120, so that no clock is wrong enough to matter.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
touch "$work/index"
echo 01 > "$work/serial"
cat > "$work/ca.conf" <<CONF
[ca]
default_ca = test
[test]
database = $work/index
serial = $work/serial
new_certs_dir = $work
default_md = sha256
unique_subject = no
policy = any
[any]
commonName = supplied
CONF

# make <file> <common name> <who signs> <extensions>
make() {
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1-key.pem" -out "$work/csr" -subj "/CN=$2"
  printf '%b' "$4" > "$work/ext"
  if [ "$3" = self ]; then set -- "$1" -selfsign -keyfile "$1-key.pem"; else set -- "$1" -cert ca.pem -keyfile ca-key.pem; fi
  file=$1
  shift
  openssl ca -batch -notext -config "$work/ca.conf" "$@" -extfile "$work/ext" \
    -startdate 20200101000000Z -enddate 21200101000000Z -in "$work/csr" -out "$file.pem"
}

make ca 'Test authority' self 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\nsubjectKeyIdentifier=hash\n'
make localhost localhost ca 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\nextendedKeyUsage=serverAuth\n'
make other other.example ca 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:other.example\nextendedKeyUsage=serverAuth\n'
make client client.example ca 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:client.example\nextendedKeyUsage=clientAuth\n'
make self-signed localhost self 'subjectAltName=DNS:localhost,IP:127.0.0.1\n'
rm ca-key.pem
chmod 644 ./*.pem
