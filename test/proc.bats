#!/usr/bin/env bats
# lib/proc.c and lib/reaper.c: the C test, and owners that die or stop.

load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
}

# Everything that the owner started is gone (a zombie is gone, too).
all_gone() {
	local pid
	for pid in $(cat pids); do
		! grep -q '^State:[[:space:]][^Z]' "/proc/$pid/status" 2>/dev/null || return 1
	done
}

two_lines() {
	[ "$(wc -l <pids)" -eq 2 ]
}

# An owner with two groups of two processes each; their pids in ./pids.
owner() {
	"$BUILD/test/proc_test" owner 2>pids 3>&- &
	OWNER=$!
	wait_until two_lines
	[ "$(wc -w <pids)" -eq 4 ]
	! all_gone
}

@test "proc: the C test passes" {
	run "$BUILD/test/proc_test"
	echo "$output"
	[ "$status" -eq 0 ]
	! grep -q '^not ok' <<<"$output"
	[ "$(grep -c '^ok' <<<"$output")" -ge 25 ]
}

@test "proc: when the owner is killed by SIGKILL everything it started ends" {
	owner
	kill -KILL "$OWNER"
	wait "$OWNER" 2>/dev/null || true
	wait_until all_gone
}

@test "proc: a stopped owner does not let its commands outlive the deadline" {
	owner
	kill -STOP "$OWNER"
	wait_until all_gone
	kill -KILL "$OWNER"
	wait "$OWNER" 2>/dev/null || true
}
