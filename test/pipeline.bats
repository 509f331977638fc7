load helper

post() { viv-add -q -m local -i "$@" >/dev/null; }
no_claims() { [ -z "$(ls "$W/world/mutable/task_locks")" ]; }

@test "pipeline: by hand, from the board to an approved result" {
	post a 'echo hello'
	viv-claim -c 1 -r me | viv-log | viv-guard | viv-cycle | viv-log | viv-review | viv-log |
	    viv-release >"$BATS_TEST_TMPDIR/line"
	[ "$(history_of a)" = 'queued in_progress completed pending_review approved' ]
	jq -e '.status == "approved" and .committed and .safety.passed and .result.stdout == "hello\n" and
	    .review.verdict == "APPROVE" and .events == null' "$BATS_TEST_TMPDIR/line"
	no_claims
	viv-log -V
}

@test "pipeline: every final event's hash is that of its result file" {
	for i in 1 2 3; do post "n$i" "echo $i"; done
	viv-claim -e -w 3 -r me | viv-log | viv-guard | viv-cycle -j 3 | viv-log | viv-review | viv-log | viv-release >/dev/null
	for i in 1 2 3; do
		[ "$(viv-log -t "n$i" -s approved | jq -r .result_sha256)" = \
		    "$(sha256sum <"$W/world/mutable/results/n$i.1.json" | cut -d' ' -f1)" ]
	done
}

@test "pipeline: a person in the middle sees each line, and what he changes counts" {
	post a 'echo no' && post b 'echo yes'
	mkfifo "$BATS_TEST_TMPDIR/to" "$BATS_TEST_TMPDIR/from"
	viv-claim -e -r me | viv-log | viv-cycle | viv-log | tee "$BATS_TEST_TMPDIR/to" >/dev/null &
	{
		exec 8>"$BATS_TEST_TMPDIR/from"
		while read -r line; do
			if jq -e '.result.stdout == "yes\n"' <<<"$line" >/dev/null; then
				jq -c '.status = "approved" | .reason = "I like it" | del(.committed)' <<<"$line" >&8
			else
				jq -c '.status = "failed" | .reason = "I do not" | del(.committed)' <<<"$line" >&8
			fi
		done <"$BATS_TEST_TMPDIR/to"
		exec 8>&-
	} &
	viv-log <"$BATS_TEST_TMPDIR/from" | viv-release >/dev/null
	wait
	[ "$(viv-log -t a -l 1 | jq -c '[.status,.reason]')" = '["failed","I do not"]' ]
	[ "$(viv-log -t b -l 1 | jq -c '[.status,.reason]')" = '["approved","I like it"]' ]
	no_claims
}

@test "pipeline: jq is a reviewer" {
	post a 'echo fine' && post b true
	cat >"$BATS_TEST_TMPDIR/my-review" <<'X'
#!/bin/sh
exec jq -c --unbuffered 'if .status != "completed" then . else
    .status = (if .result.stdout != "" then "approved" else "failed" end)
    | .reason = "my-review" | del(.committed) end'
X
	chmod +x "$BATS_TEST_TMPDIR/my-review"
	viv-claim -e -r me | viv-log | viv-guard | viv-cycle | viv-log | "$BATS_TEST_TMPDIR/my-review" | viv-log |
	    viv-release >/dev/null
	[ "$(history_of a)" = 'queued in_progress completed approved' ]
	[ "$(history_of b)" = 'queued in_progress completed failed' ]
	[ "$(viv-log -t b -l 1 | jq -r .reason)" = my-review ]
	no_claims
}

@test "pipeline: jq and test are a guard" {
	post a 'echo fine' && post b 'cat /etc/hostname'
	viv-claim -e -r me | viv-log |
	    jq -c --unbuffered 'if .status == "in_progress" and (.command | test("/etc")) then
		.status = "failed" | .reason = "no /etc here" | del(.committed) else . end' |
	    viv-cycle | viv-log | viv-review | viv-log | viv-release >/dev/null
	[ "$(history_of a)" = 'queued in_progress completed pending_review approved' ]
	[ "$(history_of b)" = 'queued in_progress failed' ]
	[ "$(viv-log -t b -l 1 | jq -r .reason)" = 'no /etc here' ]
	no_claims
}

@test "pipeline: a stage that drops lines leaves claims, and -r NAME -a gives them back" {
	post a 'echo fine'
	viv-claim -r me | viv-log | grep -v fine | viv-cycle | viv-log
	[ "$(ls "$W/world/mutable/task_locks")" = a.lock ]
	viv-release -a -r me
	no_claims
}

@test "pipeline: unknown members pass all stages" {
	viv-add -q <<<'{"id":"a","command":"true","mine":{"deep":[1,{"x":null}],"é":1e3}}' >/dev/null
	viv-claim -r me | viv-log | jq -c '.later = "too"' | viv-guard | viv-cycle | viv-log | viv-review | viv-log |
	    viv-release >"$BATS_TEST_TMPDIR/line"
	jq -e '.mine == {"deep":[1,{"x":null}],"é":1000} and .later == "too" and .status == "approved"' "$BATS_TEST_TMPDIR/line"
}

@test "pipeline: an early refusal flows to the end with its reason" {
	post bad 'ls; id' && post good 'echo x'
	viv-claim -e -r me | viv-log | viv-guard | viv-cycle | viv-log | viv-review | viv-log | viv-release >"$BATS_TEST_TMPDIR/lines"
	jq -se '.[0] | .id == "bad" and .status == "failed" and (.reason | test("operator")) and .result == null and
	    (.safety.passed | not) and .review == null' "$BATS_TEST_TMPDIR/lines"
	[ "$(history_of bad)" = 'queued in_progress failed' ]
	[ "$(history_of good)" = 'queued in_progress completed pending_review approved' ]
	no_claims
}

@test "pipeline: a damaged line in the middle costs that line only" {
	post a 'echo a' && post b 'echo b'
	viv-claim -c 2 -r me | viv-log | sed '1s/.$//' | viv-guard 2>/dev/null | viv-cycle | viv-log | viv-review |
	    viv-log | viv-release >/dev/null
	[ "$(history_of b)" = 'queued in_progress completed pending_review approved' ]
	[ "$(history_of a)" = 'queued in_progress' ]
}

@test "pipeline: without a world every stage still answers a bare request" {
	unset VIV_ROOT
	cd "$BATS_TEST_TMPDIR"
	echo '{"id":"x","command":"echo hi"}' | viv-guard | viv-cycle | viv-review >"$BATS_TEST_TMPDIR/line"
	jq -e '.result.stdout == "hi\n" and .review.verdict == "APPROVE"' "$BATS_TEST_TMPDIR/line"
}

@test "pipeline: while a person thinks about a result nobody holds its task" {
	post a --review human 'echo draft'
	viv-resident -e -r ada
	[ "$(history_of a)" = 'queued in_progress completed pending_review' ]
	no_claims
	run viv-claim -r me
	[ "$status" -eq 1 ]
	viv-review -b eve approve a >"$BATS_TEST_TMPDIR/line"
	jq -e '.status == "approved" and .committed and .result.stdout == "draft\n"' "$BATS_TEST_TMPDIR/line"
	[ "$(history_of a)" = 'queued in_progress completed pending_review approved' ]
}

@test "pipeline: a dependent starts when what it waits for is approved, and a chain runs through" {
	printf '%s\n' '{"id":"c","command":"echo c","depends_on":["b"]}' '{"id":"b","command":"echo b","depends_on":["a"]}' \
	    '{"id":"a","command":"echo a"}' | viv-add -q >/dev/null
	timeout 30 viv-resident -e -r ada
	[ "$(viv-log -s approved | jq -r .task_id | paste -sd' ' -)" = 'a b c' ]
}
