# A storm over the residents of one world: load storm. Only processes whose environment
# names this world are touched.

# The sanitizers' leak checker runs in a process of its own, for a moment, with the name and
# the environment of the one it checks, which waits for it for ever when it is killed.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

# The policy of $W also lists sleep, with the time and a token that stands for the task.
allow_sleep() {
	jq '.programs += [{"name":"sleep","flags":[],"positional":{"min":1,"max":2},
	    "examples":{"pass":["sleep 1"],"refuse":[]}}]' "$W/meta/security/policy.json" >"$BATS_TEST_TMPDIR/p"
	cat "$BATS_TEST_TMPDIR/p" >"$W/meta/security/policy.json"
}

# sleep_tasks N TIME [MEMBERS]: tasks s1 ... sN; the token is 0.000000 and the number.
sleep_tasks() {
	local i
	for ((i = 1; i <= $1; i++)); do
		printf '{"id":"s%d","command":"sleep %s 0.000000%05d","timeout":2%s}\n' "$i" "$2" "$i" "${3-}"
	done | viv-add -q >/dev/null
}

# Pids of pipeline processes of this world.
stage_pids() {
	local p env
	for p in $(pgrep '^viv-'); do
		[[ $(<"/proc/$p/comm") =~ ^viv-(claim|log|guard|cycle|review|release)$ ]] 2>/dev/null || continue
		{ mapfile -d '' env <"/proc/$p/environ"; } 2>/dev/null || continue
		[[ $'\n'$(printf '%s\n' "${env[@]}")$'\n' != *$'\n'"VIV_ROOT=$W"$'\n'* ]] || echo "$p"
	done
}

# Residents NAME... that are started again until the file $BATS_TEST_TMPDIR/calm exists.
restless() {
	local name
	for name; do
		(while [ ! -e "$BATS_TEST_TMPDIR/calm" ]; do
			viv-resident -e -r "$name" -l 1 >/dev/null 2>>"$BATS_TEST_TMPDIR/talk" || :
			sleep 0.02
		done) 3>&- &
	done
}

# One approved event each for N tasks, at most one final event a generation, no slot
# left, a chain that verifies, and a world that needs at most a repair.
each_done_once() {
	local dups
	must viv-log -V >/dev/null || return 1
	[ "$(jq -r 'select(.status == "approved") | .task_id' "$(log_file)" | sort -u | wc -l)" -eq "$1" ] ||
	    { echo "not all are approved"; return 1; }
	[ "$(jq -r 'select(.status == "approved") | .task_id' "$(log_file)" | wc -l)" -eq "$1" ] ||
	    { echo "some are approved twice"; return 1; }
	dups=$(jq -r 'select(.final) | "\(.task_id) \(.generation)"' "$(log_file)" | sort | uniq -d)
	[ -z "$dups" ] || { echo "ended twice: $dups"; return 1; }
	[ -z "$(ls "$W/world/mutable/task_locks")" ] || { ls "$W/world/mutable/task_locks"; return 1; }
	must viv-doctor -q -r >/dev/null
	must viv-doctor -q >/dev/null
}
