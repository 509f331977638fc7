load helper
load crash

# A world is whole when viv-doctor finds nothing, or repairs what it finds.
whole() {
	command -v viv-doctor >/dev/null || return 0
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
