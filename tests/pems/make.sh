#!/bin/sh
# Makes the certificates of the tests anew. Needs openssl 3 or later.
set -e
cd "$(dirname "$0")"
ca=$(mktemp)
trap 'rm -f "$ca" request.csr' EXIT

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
sign() { # name, common name, further extensions
    openssl req -new -key "$1.key" -subj "/O=tests of gossamer/CN=$2" -out request.csr
    printf '%b' "basicConstraints=CA:false\n$3\n" | openssl x509 -req -in request.csr -CA ca.pem -CAkey "$ca" \
        -days 36500 -extfile /dev/stdin -out "$1.pem"
}

key "$ca"
openssl req -x509 -new -key "$ca" -subj "/O=tests of gossamer/CN=an authority" -days 36500 -out ca.pem
for name in server other client stranger expired; do key "$name.key"; done
sign server localhost 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1,DNS:a.example'
sign other b.example 'subjectAltName=DNS:b.example,DNS:*.c.example'
sign client ada ''
openssl req -x509 -new -key stranger.key -subj "/O=tests of gossamer/CN=a stranger" -days 36500 -out stranger.pem
openssl req -new -key expired.key -subj "/O=tests of gossamer/CN=localhost" -out request.csr
: > index.txt
cat > ca.cnf <<END
[ca]
default_ca = one
[one]
database = index.txt
new_certs_dir = .
serial = serial
default_md = sha256
policy = any
[any]
organizationName = optional
commonName = supplied
END
echo 01 > serial
openssl ca -batch -notext -config ca.cnf -cert ca.pem -keyfile "$ca" -in request.csr \
    -startdate 19990101000000Z -enddate 20000101000000Z -out expired.pem
rm -f ca.cnf index.txt* serial* 01.pem
openssl pkey -in server.key -aes256 -passout pass:secret -out locked.key
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out small.key
sign small localhost 'subjectAltName=DNS:localhost'
chmod 644 ./*.key
