#!/bin/bash
# A storm for as long as you like: test/soak.sh [-m MINUTES] [-r RESIDENTS] [-s SEED].
# Residents that come back are killed and stopped at random while tasks are posted, and
# test/overlap.c, which knows nothing of our files, looks for two processes that do one
# task. Then the world must be whole and every task done exactly once.
set -u
cd "$(dirname "$0")/.." || exit 1
minutes=10 residents=6 seed=$$
while getopts m:r:s: c; do
	case $c in
	m) minutes=$OPTARG ;;
	r) residents=$OPTARG ;;
	s) seed=$OPTARG ;;
	*) echo "usage: test/soak.sh [-m MINUTES] [-r RESIDENTS] [-s SEED]" >&2; exit 2 ;;
	esac
done
BUILD=${VIV_BUILD:-$PWD/build}
PATH=${VIV_BIN:-$PWD/bin}:$PATH
BATS_TEST_TMPDIR=$(mktemp -d) || exit 1
tmp=$BATS_TEST_TMPDIR W=$tmp/world
export TZ=UTC LC_ALL=C VIV_ROOT=$W
fail() { touch "$tmp/calm"; echo "soak: $*"; echo "soak: the world is kept in $tmp"; exit 1; }
log_file() { echo "$W/meta/audit/execution_log.jsonl"; }
must() { "$@" || { echo "failed: $*" >&2; return 1; }; }
# shellcheck disable=SC1091
. test/storm.bash

viv-init -q "$W" || exit 1
allow_sleep
exec 3>/dev/null
token=0.00000$$	# of our commands only
"$BUILD/test/overlap" $((60 * minutes + 600)) "$tmp/calm" "$token" >"$tmp/oracle" &
oracle=$!
# shellcheck disable=SC2046 # words
restless $(seq -f 'r%.0f' "$residents")
"$BUILD/test/storm" "$W" $((60 * minutes)) "$seed" >"$tmp/storm" &
storm=$!
n=0
while kill -0 $storm 2>/dev/null; do
	open=$((n - $(grep -c '"status":"approved"' "$(log_file)")))
	if [ "$open" -lt 100 ]; then
		seq $((n + 1)) $((n + 200)) | jq -c --arg token "$token" '{id: "s\(.)", mode: "local", timeout: 3,
		    max_attempts: 1000, command: "sleep 0.03 \($token)\(1000000 + .)"}' | viv-add -q >/dev/null ||
		    fail 'cannot post'
		n=$((n + 200))
	fi
	kill -0 $oracle 2>/dev/null || fail "the oracle: $(cat "$tmp/oracle")"
	sleep 0.5
done
for ((i = 0; i < 120; i++)); do
	[ "$(viv-log -s approved | wc -l)" -lt "$n" ] || break
	viv-resident -e -r last -l 1 2>>"$tmp/talk"
	sleep 0.5
done
touch "$tmp/calm"
wait "$oracle" || fail "worked on twice at once: $(cat "$tmp/oracle")"
wait
viv-resident -e -r last || fail 'the last resident failed'
viv-tidy -q 2>/dev/null
each_done_once "$n" || fail 'the world is not whole'
echo "soak: $n tasks, $(cat "$tmp/storm"), $(cat "$tmp/oracle"), seed $seed: each done once"
rm -rf "$tmp"
