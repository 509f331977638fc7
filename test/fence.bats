# What is said about a task by those who may not, or not again: lines that come late or
# twice, an owner that was killed.

load helper

bats_require_minimum_version 1.5.0

task() { viv-add -q -m local -i "$@" >/dev/null; }

final_of() { jq -c --arg id "$1" 'select(.final and .task_id == $id) | [.status, .reason]' "$(log_file)" | tail -n 1; }

@test "fence: a line that was kept is refused after somebody else finished, and changes no byte" {
	local sum
	task a true
	bash -c 'viv-claim -c 1 -r ann -P $$' >"$BATS_TEST_TMPDIR/line"
	viv-cycle <"$BATS_TEST_TMPDIR/line" | viv-review >"$BATS_TEST_TMPDIR/late"
	viv-claim -c 1 -r bob | viv-log | viv-cycle | viv-log | viv-review | viv-log >/dev/null
	sum=$(sha256sum <"$(log_file)")
	run -77 --separate-stderr viv-log <"$BATS_TEST_TMPDIR/late"
	[ "$(jq -r .status <<<"$output")" = lost ]
	[ "$sum" = "$(sha256sum <"$(log_file)")" ]
}

@test "fence: the same commit told again is a success and written once" {
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0	# it cannot be traced
	local sum
	task a true
	viv-claim -c 1 -r ann | viv-cycle | viv-review >"$BATS_TEST_TMPDIR/line"
	cp -a "$W" "$BATS_TEST_TMPDIR/before"
	"$BUILD/test/killat" -c viv-log <"$BATS_TEST_TMPDIR/line" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/calls"
	rm -rf "$W"
	cp -a "$BATS_TEST_TMPDIR/before" "$W"
	# Killed before its output: everything is recorded, nobody was told.
	run -137 "$BUILD/test/killat" "$(sed 's/calls: //' "$BATS_TEST_TMPDIR/calls")" viv-log <"$BATS_TEST_TMPDIR/line"
	[ "$(final_of a)" = "$(jq -c 'select(.final) | [.status, .reason]' "$(log_file)")" ]
	sum=$(sha256sum <"$(log_file)")
	run -0 viv-log <"$BATS_TEST_TMPDIR/line"
	[ "$(jq -r '[.status, .committed] | @tsv' <<<"$output")" = "$(printf 'approved\ttrue')" ]
	[ "$sum" = "$(sha256sum <"$(log_file)")" ]
}

@test "fence: whoever was killed with the right to run alone does not keep it" {
	task a --serial true
	task b --serial true
	bash -c 'viv-claim -c 1 -r ann -P $$; kill -KILL $$' >"$BATS_TEST_TMPDIR/line" || true
	[ "$(jq -r .id "$BATS_TEST_TMPDIR/line")" = a ]
	run -0 --separate-stderr viv-claim -c 2 -r bob
	[ "$(jq -r .id <<<"$output")" = a ]
	run -1 viv-claim -c 1 -r eve
}
