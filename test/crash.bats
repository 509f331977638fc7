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
