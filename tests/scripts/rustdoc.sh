#!/usr/bin/env bash
# Stands in for rustdoc in `cargo test --doc`: writes the documentation instead of testing its examples, warnings denied.
# That way it uses the compiled dependencies as they are; `cargo doc` would check all of them first.
set -euo pipefail
arguments=()
is_test=0
while [ $# -gt 0 ]; do
  case "$1" in
    --test) is_test=1 ;;
    --no-run) ;;
    --test-run-directory | --test-args | --test-runtool | --test-runtool-arg) shift ;;
    --test-run-directory=* | --test-args=* | --doctest-*) ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
rustdoc="$(rustup which rustdoc 2>/dev/null || which rustdoc)"
[ "$is_test" = 1 ] || exec "$rustdoc" "${arguments[@]}"
exec "$rustdoc" "${arguments[@]}" -Dwarnings -o "${ALCEDO_DOC_DIR:-/tmp/alcedo-doc}"
