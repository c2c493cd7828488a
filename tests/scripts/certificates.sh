#!/usr/bin/env bash
# Makes the certificates of the MQTT tests: an authority, a server for localhost, a client, and an authority that signed
# neither. They are valid for a hundred years, and their keys are no secrets.
set -euo pipefail
cd "$(dirname "$0")/../../engine/ingest/mqtt/tests/certificates"
subject() { openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -subj "/CN=$2" "${@:3}"; }
for authority in ca other-ca; do
  subject "$authority" "Alcedo test authority $authority" -x509 -days 36500 -out "$authority.pem" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
done
sign() { openssl x509 -req -in - -CA ca.pem -CAkey ca.key -CAcreateserial -days 36500 -out "$1.pem" -extfile <(printf '%b' "$2"); }
subject server localhost | sign server 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth'
subject client car-7 | sign client 'extendedKeyUsage=clientAuth\nsubjectAltName=DNS:car-7'
rm -f ca.key other-ca.key ca.srl
