#!/bin/sh
# verify-log.sh WORLD | SEGMENT...: the audit chain with sha256sum, awk and jq; prints ok or the first bad line
# shellcheck disable=SC2046,SC2015
[ -d "$1" ] && cd "$1/meta/audit" && set -- $(printf '%s\n' execution_log*.jsonl |
    sed '/[.][0-9]*[.]jsonl$/!s/jsonl$/987654321.&/' | sort -V | sed 's/987654321.//')
t=$(mktemp) && trap 'rm -f "$t"' 0 || exit 1
awk '{ printf "%s:%d\t", FILENAME, FNR; fflush(); print | "sha256sum"; close("sha256sum") }' "$@" > "$t"
jq -Rr '[fromjson? | objects][0] | if . then "\(.seq)\t\(.prev)" else "bad\tbad" end' "$@" |
    paste - "$t" | awk -F '\t' '
{ b = $3; sub(/([.][0-9]+)?[.]jsonl:[0-9]+$/, "", b); h = substr($4, 1, 64) }
b != base { base = b; chained = seq = 0; prev = sprintf("%064d", 0); at = "" }
$1 == "bad" || ($2 == "null" ? chained : $2 != prev || $1 != seq + 1) { bad = 1
	print ($2 != "null" && $1 == seq + 1 && $2 != prev && at ? at : $3) " breaks the chain"; exit 1 }
{ chained = $2 != "null"; seq = $1; prev = h; at = $3 }
END { if (!bad) print "ok" }'
