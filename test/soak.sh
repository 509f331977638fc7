#!/bin/bash
# Residents that are killed at random for some seconds, while tasks are posted; then
# the world must be whole and every task done exactly once: test/soak.sh [SECONDS [SEED]].
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=${VIV_BIN:-$PWD/bin}:$PATH
seconds=${1:-60} RANDOM=${2:-$$}
tmp=$(mktemp -d) || exit 1
export TZ=UTC LC_ALL=C VIV_ROOT=$tmp/world
fail() { echo "soak: $*"; echo "soak: the world is kept in $tmp"; exit 1; }
viv-init -q "$VIV_ROOT" || exit 1

resident() {
	# shellcheck disable=SC2016 # that is for the inner shell
	exec setsid bash -c 'viv-claim -e -r "$1" | viv-log | viv-guard | viv-cycle -j 2 | viv-log |
	    viv-review | viv-log | viv-release >/dev/null' - "$1" 2>>"$tmp/stderr"
}

# Kill one process of the group, or all of it.
murder() {
	local pids
	mapfile -t pids < <(ps -o pid= -g "$1" 2>/dev/null)
	[ ${#pids[@]} -gt 0 ] || return 0
	if ((RANDOM % 3 == 0)); then
		kill -KILL -- "-$1" 2>/dev/null
	else
		kill -KILL "${pids[RANDOM % ${#pids[@]}]}" 2>/dev/null
	fi
}

end=$((SECONDS + seconds)) posted=0 kills=0
pids=()
while ((SECONDS < end)); do
	for i in 0 1 2; do
		if [ -z "${pids[i]-}" ] || ! kill -0 "${pids[i]}" 2>/dev/null; then
			resident "r$i" 2>>"$tmp/stderr" &
			pids[i]=$!
		fi
	done
	for ((n = posted; n < posted + 20; n++)); do
		printf '{"id":"s%d","command":"echo %d","mode":"local","max_attempts":1000}\n' "$n" "$n"
	done | viv-add -q >/dev/null || fail "cannot post"
	posted=$((posted + 20))
	sleep "0.$((RANDOM % 5 + 1))"
	murder "${pids[RANDOM % 3]}"
	kills=$((kills + 1))
done
for p in "${pids[@]}"; do
	kill -KILL -- "-$p" 2>/dev/null
done
wait 2>/dev/null

viv-doctor -r >/dev/null || viv-doctor || fail "the world is not whole"
(resident last) || fail "the last resident failed"
viv-log -V || fail "the log does not verify"
jq -r 'select(.final and .status == "approved") | .task_id' \
    "$VIV_ROOT"/meta/audit/execution_log*.jsonl | sort >"$tmp/approved"
done=$(uniq "$tmp/approved" | wc -l)
[ "$done" = "$posted" ] || fail "$posted posted, $done done"
twice=$(uniq -d "$tmp/approved" | head -n 3)
[ -z "$twice" ] || fail "done twice: $twice"
left=$(ls "$VIV_ROOT/world/mutable/task_locks")
[ -z "$left" ] || fail "claims are left: $left"
rm -rf "$tmp"
echo "soak: $posted tasks, $kills kills in $seconds s: each done once, log verified"
