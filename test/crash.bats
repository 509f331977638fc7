load helper
load crash

# A world is whole when viv-doctor finds nothing, or repairs what it finds.
whole() {
	viv-doctor -q >"$BATS_TEST_TMPDIR/doctor" 2>&1 ||
	    { viv-doctor -q -r && viv-doctor -q; } >>"$BATS_TEST_TMPDIR/doctor" 2>&1 ||
	    { cat "$BATS_TEST_TMPDIR/doctor"; return 1; }
}

world_completes() {
	viv-init -q "$W" 2>"$BATS_TEST_TMPDIR/again" || { cat "$BATS_TEST_TMPDIR/again"; return 1; }
	jq -e '.tasks == []' "$W/world/mutable/queue.json" >/dev/null
	[ -s "$(log_file)" ]
	[ "$(stat -c %a "$W/meta/security")" = 700 ]
	[ -z "$(find "$W" -name '.*.tmp.*' -newer "$BATS_TEST_TMPDIR/again")" ]
}

@test "crash: killat kills before the call, and the count is that of the calls" {
	run "$BUILD/test/killat" 2 sh -c 'echo one >"$1"; echo two >>"$1"' - "$BATS_TEST_TMPDIR/f"
	[ "$status" -eq 137 ]
	[ -e "$BATS_TEST_TMPDIR/f" ]
	[ ! -s "$BATS_TEST_TMPDIR/f" ]
	run "$BUILD/test/killat" -c sh -c 'echo one >"$1"; echo two >>"$1"' - "$BATS_TEST_TMPDIR/f"
	[ "$output" = "calls: 4" ]
	run "$BUILD/test/killat" 5 sh -c 'echo one >"$1"; echo two >>"$1"' - "$BATS_TEST_TMPDIR/f"
	[ "$status" -eq 3 ]
}

@test "crash: viv-init killed anywhere is completed by the next one" {
	mkdir "$BATS_TEST_TMPDIR/empty"
	W=$BATS_TEST_TMPDIR/new
	mkdir "$W"
	prepare
	crash_points world_completes viv-init -q "$W"
	[ "$POINTS" -ge 20 ]
}

# --- posting ---

two_posted() {
	viv-add -q -i first -m local true >/dev/null
	viv-add -q -i second -m local true >/dev/null
	prepare
}

board_ids() { jq -r '.tasks[].id' "$W/world/mutable/queue.json" | paste -sd' ' -; }

# Nothing that was posted before is lost. A printed id is on the board, and unless the
# command failed (its status is $1) in the log as well.
posted_is_kept() {
	local ids log
	whole || return 1
	ids=$(board_ids) || return 1
	log=$(jq -r 'select(.seq > 1) | .task_id + ":" + .status' "$(log_file)" | paste -sd' ' -)
	if grep -qx third "$BATS_TEST_TMPDIR/out" || [ "${1-1}" = 0 ]; then
		[ "$ids" = "first second third" ] || { echo 'acknowledged, and not on the board'; return 1; }
		[ "${1-0}" != 0 ] || [[ $log = *' third:queued' ]] || { echo "log: $log"; return 1; }
	fi
	[[ $ids = "first second"?(' third') ]] || { echo "the board has: $ids"; return 1; }
	[[ $log = 'first:queued second:queued'?(' third:queued') ]] || { echo "log: $log"; return 1; }
	# Posting goes on: the same again is posted now, or refused because it is there.
	viv-add -i third -m local true >"$BATS_TEST_TMPDIR/again" 2>&1 || grep -q third "$BATS_TEST_TMPDIR/again"
	[ "$(board_ids)" = 'first second third' ] || { echo "afterwards: $(board_ids)"; return 1; }
}

@test "crash: viv-add killed anywhere loses nothing that was posted" {
	two_posted
	crash_points posted_is_kept viv-add -i third -m local true
	[ "$POINTS" -ge 6 ]
}

@test "crash: viv-add with a full disk at any call loses nothing and says so" {
	two_posted
	fault_points ENOSPC posted_is_kept viv-add -i third -m local true
	[ "$POINTS" -ge 10 ]
}

@test "crash: viv-add with an input/output error at any call loses nothing and says so" {
	two_posted
	fault_points EIO posted_is_kept viv-add -i third -m local true
}

@test "crash: viv-add interrupted at any call loses nothing and says so" {
	two_posted
	fault_points EINTR posted_is_kept viv-add -i third -m local true
}

# --- an attempt ---

events_of() {
	jq -r --arg id "$1" 'select(.task_id == $id) | .status + (.generation | tostring) + (if .final then "!" else "" end)' \
	    "$(log_file)" | paste -sd' ' -
}

# How many final events the log has for each generation of task $1: at most one each.
final_once() {
	local twice
	twice=$(jq -r --arg id "$1" 'select(.task_id == $id and .final) | .generation' "$(log_file)" | sort | uniq -d)
	[ -z "$twice" ] || { echo "ended twice: generation $twice of $1: $(events_of "$1")"; return 1; }
}

one_task() {
	viv-add -q -i t1 -m local true >/dev/null
}

# What was claimed can be claimed again, because the owner is dead, under a higher number.
claimable_again() {
	local before after
	whole || return 1
	before=$(jq -r .claim.generation "$BATS_TEST_TMPDIR/out" 2>/dev/null)
	after=$(viv-claim -c 1 -r bob 2>"$BATS_TEST_TMPDIR/again" | jq -r .claim.generation)
	[ -n "$after" ] || { echo 'not claimable:'; cat "$BATS_TEST_TMPDIR/again"; return 1; }
	[ "$after" -gt "${before:-0}" ] || { echo "generation $after after $before"; return 1; }
	final_once t1
}

@test "crash: what viv-claim held when it was killed anywhere can be claimed at once" {
	one_task
	prepare
	# shellcheck disable=SC2016 # the shell becomes viv-claim, whose pid the claim then names
	crash_points claimable_again sh -c 'exec viv-claim -c 1 -r ada -P $$'
	[ "$POINTS" -ge 4 ]
}

# Recording the end of an attempt: $1 is the status of a run that was not killed.
ends_once() {
	whole || return 1
	if grep -q '"committed":true' "$BATS_TEST_TMPDIR/out"; then
		[[ $(events_of t1) = *'approved1!'* ]] ||
		    { echo "acknowledged, and not in the log: $(events_of t1)"; return 1; }
	fi
	# Said again, it is recorded now, or refused because it was; never twice.
	rc=0
	viv-log <"$IN" >"$BATS_TEST_TMPDIR/again.out" 2>"$BATS_TEST_TMPDIR/again" || rc=$?
	[ "$rc" -eq 0 ] || { [ "$rc" -eq 77 ] && grep -q "'t1' is lost" "$BATS_TEST_TMPDIR/again"; } ||
	    { echo "again: $rc"; cat "$BATS_TEST_TMPDIR/again"; return 1; }
	# Whoever looks for work next completes the log, and finds none.
	run viv-claim -c 1 -r bob
	[ "$status" -eq 1 ] || { echo "claimed again: $output"; return 1; }
	[[ $(events_of t1) = 'queued0 '*'approved1!' ]] || { echo "log: $(events_of t1)"; return 1; }
	final_once t1 || return 1
	viv-log -V >"$BATS_TEST_TMPDIR/again" || { cat "$BATS_TEST_TMPDIR/again"; return 1; }
}

finished_line() {
	one_task
	viv-claim -c 1 -r ada | viv-log >"$BATS_TEST_TMPDIR/claimed"
	IN=$BATS_TEST_TMPDIR/in
	jq -c 'del(.committed) | .status = "approved" |
	    .events = [{status: "completed"}, {status: "pending_review"}, {status: "approved", final: true}]' \
	    "$BATS_TEST_TMPDIR/claimed" >"$IN"
	[ -s "$IN" ]
	prepare
}

@test "crash: viv-log killed anywhere loses no acknowledged event and records none twice" {
	finished_line
	crash_points ends_once viv-log
	[ "$POINTS" -ge 5 ]
}

@test "crash: viv-log with a full disk at any call loses nothing and says so" {
	finished_line
	fault_points ENOSPC ends_once viv-log
}

@test "crash: viv-log with an input/output error at any call loses nothing and says so" {
	finished_line
	fault_points EIO ends_once viv-log
}

given_back() {
	local n
	whole || return 1
	if [ -s "$BATS_TEST_TMPDIR/out" ]; then
		[[ $(events_of t1) = *'requeue1!'* ]] || { echo "given back, and not in the log"; return 1; }
	fi
	viv-release <"$IN" >/dev/null 2>&1
	n=$(viv-claim -c 1 -r bob | jq -r .claim.generation)
	final_once t1 || return 1
	[[ $(events_of t1) = *'requeue1!' ]] || { echo "log: $(events_of t1)"; return 1; }
	[ "${n:-0}" -ge 2 ] || { echo "not claimable: generation '$n'"; return 1; }
}

@test "crash: viv-release killed anywhere gives back once, now or when asked again" {
	one_task
	IN=$BATS_TEST_TMPDIR/in
	viv-claim -c 1 -r ada | viv-log >"$IN"
	prepare
	crash_points given_back viv-release
	[ "$POINTS" -ge 5 ]
}

# --- a running pipeline ---

# The resident's pipeline with stage $1 under killat at call $2; status of killat in $K.
pipeline_with() {
	local kill=$1 n=$2
	s() {
		local name=$1
		shift
		if [ "$name" = "$kill" ]; then
			rc=0
			"$BUILD/test/killat" "$n" "$@" || rc=$?
			echo "$rc" >"$K"
		else
			"$@"
		fi
	}
	K=$BATS_TEST_TMPDIR/killed
	rm -f "$K"
	s claim viv-claim -e -w 4 -r ada | s log viv-log | s guard viv-guard | s cycle viv-cycle -j 2 |
	    s log2 viv-log | s review viv-review | s log3 viv-log | s release viv-release >/dev/null || true
} 2>>"$BATS_TEST_TMPDIR/talk"

# Kill stage $1 at each of its calls; then a whole resident finishes what is left.
kill_stage() {
	local n id
	viv-add -q -i t1 -m local true >/dev/null
	viv-add -q -i t2 -m local 'echo two' >/dev/null
	prepare
	for ((n = 1; n < 500; n += STEP)); do
		restore
		pipeline_with "$1" "$n"
		[ "$(cat "$K")" -ne 3 ] || break
		whole || return 1
		pipeline_with none 0
		for id in t1 t2; do
			[[ $(events_of "$id") = 'queued0 '*'approved'*'!' ]] && final_once "$id" ||
			    { echo "$1 killed at call $n: $id: $(events_of "$id")"; return 1; }
		done
		# The chain of a task that was done at that very moment may be left, for a repair.
		whole || { echo "$1 killed at call $n"; return 1; }
		viv-log -V >/dev/null || { echo "$1 killed at call $n: the log does not verify"; return 1; }
	done
	[ "$n" -gt 2 ]
}

@test "crash: a pipeline whose viv-claim is killed anywhere loses no task" { kill_stage claim; }
@test "crash: a pipeline whose first viv-log is killed anywhere loses no task" { kill_stage log; }
@test "crash: a pipeline whose viv-guard is killed anywhere loses no task" { kill_stage guard; }
@test "crash: a pipeline whose viv-cycle is killed anywhere loses no task" { kill_stage cycle; }
@test "crash: a pipeline whose second viv-log is killed anywhere loses no task" { kill_stage log2; }
@test "crash: a pipeline whose viv-review is killed anywhere loses no task" { kill_stage review; }
@test "crash: a pipeline whose third viv-log is killed anywhere loses no task" { kill_stage log3; }
@test "crash: a pipeline whose viv-release is killed anywhere loses no task" { kill_stage release; }
