load helper

post() { viv-add -q -m local -i "$@" true >/dev/null; }
locks() { ls "$W/world/mutable/task_locks"; }
state() { history_of "$1" | sed 's/.* //'; }

@test "release: a line that nobody finished is given back, uncounted" {
	post a
	viv-claim -r me | viv-log | viv-release >"$BATS_TEST_TMPDIR/line"
	[ "$(history_of a)" = 'queued in_progress requeue' ]
	tail -n 1 "$(log_file)" | jq -e '.reason == "released" and .final and .counted == false'
	jq -e '.status == "requeue" and .committed' "$BATS_TEST_TMPDIR/line"
	[ -z "$(locks)" ]
	[ "$(viv-claim -r me | jq -r .claim.attempt)" -eq 1 ]
}

@test "release: events that nobody recorded are dropped with the claim" {
	post a
	viv-claim -r me | viv-log | jq -c 'del(.committed) | .status = "approved" | .events = [{status:"approved",final:true}]' |
	    viv-release >/dev/null
	[ "$(history_of a)" = 'queued in_progress requeue' ]
}

@test "release: work that was not reviewed is given back" {
	post a
	viv-claim -r me | viv-log | viv-cycle | viv-log | viv-release >/dev/null
	[ "$(history_of a)" = 'queued in_progress completed requeue' ]
}

@test "release: lines that have ended, are lost or have no claim only pass" {
	post a
	viv-claim -r me | viv-log | jq -c 'del(.committed) | .status = "approved"' | viv-log >"$BATS_TEST_TMPDIR/ended"
	n=$(wc -l <"$(log_file)")
	viv-release <"$BATS_TEST_TMPDIR/ended" | cmp "$BATS_TEST_TMPDIR/ended"
	for line in '{"id":"x"}' '{"id":"x","status":"lost","claim":{"token":"t"}}' '{"id":"x","status":"approved"}'; do
		must test "$(viv-release <<<"$line")" = "$line"
	done
	[ "$(wc -l <"$(log_file)")" -eq "$n" ]
}

@test "release: a waiting review keeps its result and its state" {
	viv-add -q -m local -i a --review human true >/dev/null
	viv-claim -r me | viv-log | viv-cycle | viv-log | viv-review | viv-log | viv-release >/dev/null
	[ "$(state a)" = pending_review ]
	[ -z "$(locks)" ]
}

@test "release: ids give back the claims of the resident that is named" {
	post a && post b && post c
	viv-claim -c 3 -r me | viv-log >/dev/null
	viv-release -r me -M 'not today' a b
	[ "$(state a) $(state b) $(state c)" = 'requeue requeue in_progress' ]
	[ "$(viv-log -t a -l 1 | jq -r .reason)" = 'not today' ]
	[ "$(locks)" = c.lock ]
}

@test "release: somebody else's claim and what is not claimed are refused with 77, the rest is done" {
	post a && post b && post c
	viv-claim -r me | viv-log >/dev/null
	viv-claim -r you | viv-log >/dev/null
	run viv-release -r me b c a
	[ "$status" -eq 77 ]
	[[ "$output" == *"'b' is claimed by 'you'"* ]]
	[[ "$output" == *"'c' is not claimed"* ]]
	[ "$(state a) $(state b)" = 'requeue in_progress' ]
	run viv-release b
	[ "$status" -eq 77 ]
	[ "$(locks)" = b.lock ]
}

@test "release: VIV_RESIDENT names the resident as well" {
	post a
	viv-claim -r me >/dev/null
	VIV_RESIDENT=me viv-release a
	[ -z "$(locks)" ]
}

@test "release: -a gives back everything of one resident and nothing of others" {
	post a && post b && post c
	viv-claim -c 2 -r me >/dev/null
	viv-claim -r you >/dev/null
	viv-release -a -r me
	[ "$(locks)" = c.lock ]
	run viv-release -a -r me
	[ "$status" -eq 1 ]
}

@test "release: what was given back cannot be finished by the one who held it" {
	post a
	viv-claim -r me | viv-log >"$BATS_TEST_TMPDIR/line"
	viv-release -a -r me
	run bash -c 'jq -c "del(.committed) | .status = \"approved\"" "$1" | viv-log 2>/dev/null' - "$BATS_TEST_TMPDIR/line"
	[ "$status" -eq 77 ]
	[ "$(jq -r .status <<<"$output")" = lost ]
}

@test "release: -n prints what it would give back and gives nothing back" {
	post a && post b
	viv-claim -c 2 -r me >"$BATS_TEST_TMPDIR/lines"
	n=$(wc -l <"$(log_file)")
	[ "$(viv-release -n -a -r me | sort | paste -sd' ' -)" = 'a b' ]
	[ "$(viv-release -n -r me b)" = b ]
	viv-release -n <"$BATS_TEST_TMPDIR/lines" 2>"$BATS_TEST_TMPDIR/talk" | cmp "$BATS_TEST_TMPDIR/lines"
	[ "$(paste -sd' ' "$BATS_TEST_TMPDIR/talk")" = "viv-release: would release 'a' viv-release: would release 'b'" ]
	[ "$(locks | paste -sd' ' -)" = 'a.lock b.lock' ]
	[ "$(wc -l <"$(log_file)")" -eq "$n" ]
}

@test "release: damaged lines cost that line only" {
	post a
	viv-claim -r me >"$BATS_TEST_TMPDIR/line"
	run bash -c '{ echo "{"; cat "$1"; } | viv-release 2>/dev/null | jq -r .id; exit ${PIPESTATUS[1]}' - "$BATS_TEST_TMPDIR/line"
	[ "$status" -eq 1 ]
	[ "$output" = a ]
	[ -z "$(locks)" ]
}

@test "release: wrong usage is 2, no world 78" {
	for bad in '-a' '-a -r me id' '-z'; do
		run viv-release $bad </dev/null
		must test "$bad $status" = "$bad 2"
	done
	VIV_ROOT=/nowhere run viv-release -r me a
	[ "$status" -eq 78 ]
}
