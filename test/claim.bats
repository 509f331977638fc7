load helper

post() { viv-add -q -m local -i "$@" true >/dev/null; }

# Claim as "me" and print the ids, one line.
ids() { viv-claim -r me "$@" | jq -r .id | paste -sd' ' -; }

# Record an end for everything that a claim with these flags takes.
finish_as() {
	local status=$1
	shift
	viv-claim -r me "$@" | viv-log | jq -c --arg s "$status" 'del(.committed) | .status = $s' |
	    viv-log >/dev/null
}

# Put tasks on the board as an editor would.
by_hand() {
	jq -c --argjson new "$1" '.tasks += $new' "$W/world/mutable/queue.json" >"$BATS_TEST_TMPDIR/q"
	cat "$BATS_TEST_TMPDIR/q" >"$W/world/mutable/queue.json"
}

locks() { ls "$W/world/mutable/task_locks"; }

follow() {
	viv-claim -r me "$@" >"$BATS_TEST_TMPDIR/lines" 2>"$BATS_TEST_TMPDIR/talk" &
	follower=$!
}
followed() { [ "$(jq -r .id "$BATS_TEST_TMPDIR/lines" | paste -sd' ' -)" = "$1" ]; }
teardown() { [ -z "${follower-}" ] || kill -9 "$follower" 2>/dev/null || true; }

bytes_of() { (cd "$1" && find . -path ./world/mutable/.cache -prune -o -type f -print0 | sort -z | xargs -0 sha256sum); }

@test "claim: higher priority goes first, then what was posted first" {
	post a && post b -p 5 && post c -p 5 && post d -p -1
	[ "$(ids -c 4)" = 'b c a d' ]
}

@test "claim: the line is the task with its claim and the event to record" {
	post a -T x
	viv-claim -r me -i ada -c 1 >"$BATS_TEST_TMPDIR/line"
	jq -e '.id == "a" and .command == "true" and .tags == ["x"] and .status == "in_progress" and
	    .claim.resident_id == "me" and .claim.identity_id == "ada" and .claim.generation == 1 and
	    .claim.attempt == 1 and (.claim.token | test("^[0-9a-f]{32}$")) and
	    [.events[].status] == ["in_progress"]' "$BATS_TEST_TMPDIR/line"
	[ "$(locks)" = a.lock ]
	[ "$(jq -r .token "$W/world/mutable/task_locks/a.lock")" = "$(jq -r .claim.token "$BATS_TEST_TMPDIR/line")" ]
}

@test "claim: a held task is not claimed again, and nothing to claim is 1" {
	post a
	[ "$(ids -c 1)" = a ]
	run viv-claim -r other
	[ "$status" -eq 1 ]
	[ -z "$output" ]
}

@test "claim: -c bounds how many, and fewer are no failure" {
	post a && post b && post c
	[ "$(ids -c 2)" = 'a b' ]
	run viv-claim -r me -c 5
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 1 ]
}

@test "claim: without flags one task is claimed" {
	post a && post b
	[ "$(ids)" = a ]
}

@test "claim: a task is left alone before its not_before" {
	post later --not-before 2030-01-01T00:00:00Z
	VIV_NOW=2029-12-31T23:59:59Z run viv-claim -r me
	[ "$status" -eq 1 ]
	[ "$(VIV_NOW=2030-01-01T00:00:01Z ids)" = later ]
}

@test "claim: after its deadline a task is claimed only to fail" {
	post a --deadline 2030-01-01T00:00:00Z
	VIV_NOW=2030-01-01T00:00:01Z viv-claim -r me | viv-log >/dev/null
	[ "$(history_of a)" = 'queued in_progress failed' ]
	[ "$(tail -n 1 "$(log_file)" | jq -c '[.reason,.final]')" = '["deadline passed",true]' ]
	[ -z "$(locks)" ]
}

@test "claim: until the deadline a task runs" {
	post a --deadline 2030-01-01T00:00:00Z
	[ "$(VIV_NOW=2029-12-31T23:59:59Z viv-claim -r me | jq -r .status)" = in_progress ]
}

@test "claim: a dependent waits until its dependency is done" {
	post a && post b -d a
	[ "$(ids -n)" = a ]
	finish_as approved -c 9
	[ "$(ids -c 2)" = b ]
}

@test "claim: a dependent of a dead task stays blocked" {
	post a && post b -d a
	finish_as failed
	run viv-claim -r me
	[ "$status" -eq 1 ]
	[ "$(history_of b)" = queued ]
}

@test "claim: on_dependency_failure fail makes the dependent fail with the reason" {
	post a
	viv-add -q <<<'{"id":"b","command":"true","depends_on":["a"],"on_dependency_failure":"fail"}' >/dev/null
	finish_as failed
	viv-claim -r me | viv-log >/dev/null
	[ "$(history_of b)" = 'queued in_progress failed' ]
	[ "$(tail -n 1 "$(log_file)" | jq -r .reason)" = "dependency 'a' failed" ]
}

@test "claim: a chain of on_dependency_failure fails to its end" {
	post a
	viv-add -q <<'X' >/dev/null
{"id":"b","command":"true","depends_on":["a"],"on_dependency_failure":"fail"}
{"id":"c","command":"true","depends_on":["b"],"on_dependency_failure":"fail"}
X
	finish_as failed
	viv-claim -r me -e | viv-log >/dev/null
	[ "$(history_of c)" = 'queued in_progress failed' ]
}

@test "claim: unknown dependencies and cycles block, the rest goes on" {
	by_hand '[{"id":"u","command":"true","depends_on":["nobody"]},
	    {"id":"x","command":"true","depends_on":["y"]},{"id":"y","command":"true","depends_on":["x"]},
	    {"id":"self","command":"true","depends_on":["self"]},{"id":"free","command":"true"}]'
	[ "$(ids -c 9)" = free ]
}

@test "claim: a task bound to an identity goes to that identity only" {
	post a -I ada
	by_hand '[{"id":"b","command":"true","resident_identity":"ada"}]'
	run viv-claim -r me
	[ "$status" -eq 1 ]
	run viv-claim -r me -i bob
	[ "$status" -eq 1 ]
	[ "$(ids -i ada -c 2)" = 'a b' ]
}

@test "claim: -T takes tasks with that tag, -m those of that mode" {
	post a -T x && post b -T y -T z && viv-add -q -i c 'a prompt' >/dev/null
	[ "$(ids -T z -c 3)" = b ]
	[ "$(ids -m llm -c 3)" = c ]
	[ "$(ids -m local -c 3)" = a ]
}

@test "claim: parallel_safe false runs while no other such task does" {
	post a --serial && post b --serial && post c
	[ "$(ids -c 3)" = 'a c' ]
	viv-release -r me a >/dev/null
	[ "$(ids -c 1)" = a ]
}

@test "claim: -n prints what would be claimed in that order and changes no byte" {
	post a && post b -p 5 && post c --not-before 2999-01-01
	bytes_of "$W" >"$BATS_TEST_TMPDIR/before"
	[ "$(ids -n)" = 'b a' ]
	[ "$(ids -n -c 1)" = b ]
	[ "$(ids -n -f)" = 'b a' ]
	bytes_of "$W" | cmp "$BATS_TEST_TMPDIR/before"
	[ -z "$(locks)" ]
	run viv-claim -n -T none
	[ "$status" -eq 1 ]
}

@test "claim: PAUSE stops claims with 77, and -f waits for its end" {
	post a
	touch "$W/world/mutable/PAUSE"
	run viv-claim -r me
	[ "$status" -eq 77 ]
	[[ "$output" == *paused* ]]
	follow -f
	rm "$W/world/mutable/PAUSE"
	wait_until followed a
}

@test "claim: halt stops claims with 77 and its reason, and damage means halted" {
	post a
	echo '{"halt":true,"reason":"smoke in the kitchen"}' >"$W/world/mutable/.swarm/kill_switch.json"
	run viv-claim -r me
	[ "$status" -eq 77 ]
	[[ "$output" == *'smoke in the kitchen'* ]]
	echo '{"halt":' >"$W/world/mutable/.swarm/kill_switch.json"
	run viv-claim -r me
	[ "$status" -eq 77 ]
	echo '{"halt":false}' >"$W/world/mutable/.swarm/kill_switch.json"
	[ "$(ids)" = a ]
}

@test "claim: the pace is the least time between two claims" {
	post a && post b
	echo '{"wait_seconds":300}' >"$W/world/mutable/.swarm/runtime_speed.json"
	[ "$(ids -c 2)" = a ]
	echo '{"wait_seconds":0}' >"$W/world/mutable/.swarm/runtime_speed.json"
	[ "$(ids -c 2)" = b ]
	echo '{"wait_seconds":-1}' >"$W/world/mutable/.swarm/runtime_speed.json"
	run viv-claim -r me
	[ "$status" -eq 78 ]
}

@test "claim: one-shot records no process, -f its own, -P the one it names" {
	post a && post b && post c
	viv-claim -r me >/dev/null
	viv-claim -r me -P $$ >/dev/null
	follow -f
	wait_until followed c
	[ "$(jq '.pid // 0' "$W/world/mutable/task_locks/a.lock")" -eq 0 ]
	[ "$(jq .pid "$W/world/mutable/task_locks/b.lock")" -eq $$ ]
	[ "$(jq .pid "$W/world/mutable/task_locks/c.lock")" -eq "$follower" ]
}

@test "claim: the death of the process that -P names frees the claim" {
	post a
	sleep 100 &
	viv-claim -r me -P $! | viv-log >/dev/null
	run viv-claim -r other
	[ "$status" -eq 1 ]
	kill -9 $!
	wait $! || true
	[ "$(viv-claim -r other | jq -c '[.claim.generation,.claim.attempt,.events[0].took_over]')" = '[2,2,"dead"]' ]
}

@test "claim: a lease that nobody renews runs out, which is no attempt" {
	post a
	viv-claim -r me -l 1 | viv-log >/dev/null
	follow -f
	wait_until followed a
	[ "$(jq -c '[.claim.generation,.claim.attempt,.events[0].took_over]' "$BATS_TEST_TMPDIR/lines")" = '[2,1,"expired"]' ]
}

@test "claim: -f renews what it holds" {
	post a
	follow -f -l 1
	wait_until followed a
	before=$(stat -c %y "$W/world/mutable/task_locks/a.lock")
	renewed() { [ "$(stat -c %y "$W/world/mutable/task_locks/a.lock")" != "$before" ]; }
	wait_until renewed
}

@test "claim: -f takes a task that is posted later" {
	follow -f
	wait_until test -e "$BATS_TEST_TMPDIR/lines"
	post a
	wait_until followed a
}

@test "claim: -w bounds the claims that have not ended" {
	post a && post b && post c
	follow -f -w 2
	wait_until followed 'a b'
	[ "$(locks | paste -sd' ' -)" = 'a.lock b.lock' ]
	sed -n 1p "$BATS_TEST_TMPDIR/lines" | jq -c '.status = "approved" | .events = [{status:"approved"}]' | viv-log >/dev/null
	wait_until followed 'a b c'
	[ "$(locks | paste -sd' ' -)" = 'b.lock c.lock' ]
}

@test "claim: -e ends when nothing is held and nothing can run" {
	post a && post b -d a && post later --not-before 2999-01-01 && post stuck -d later
	post other -T x && viv-add -q -x other
	timeout 20 viv-claim -e -w 2 -r me | viv-log |
	    jq -c --unbuffered 'del(.committed) | .status = "approved"' | viv-log >/dev/null
	[ "${PIPESTATUS[0]}" -eq 0 ]
	[ "$(history_of b)" = 'queued in_progress approved' ]
	[ "$(history_of later)" = queued ]
}

@test "claim: -e waits for what it holds" {
	post a
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	viv-claim -e -r me >"$BATS_TEST_TMPDIR/fifo" &
	follower=$!
	exec 7<"$BATS_TEST_TMPDIR/fifo"
	read -r line <&7
	kill -0 "$follower"
	jq -c '.status = "approved" | .events = [{status:"approved"}]' <<<"$line" | viv-log >/dev/null
	wait "$follower"
}

@test "claim: with -c a follower ends when that many have been claimed and have ended" {
	post a && post b && post c
	timeout 20 viv-claim -e -c 2 -r me | viv-log |
	    jq -c --unbuffered 'del(.committed) | .status = "approved"' | viv-log >/dev/null
	[ "${PIPESTATUS[0]}" -eq 0 ]
	[ "$(history_of b) $(history_of c)" = 'queued in_progress approved queued' ]
}

@test "claim: a reader that has gone gets its claims back to the board, uncounted" {
	post a
	viv-claim -f -r me | head -n 1 >/dev/null
	[ "$(history_of a)" = 'queued requeue' ]
	tail -n 1 "$(log_file)" | jq -e '.reason == "pipeline ended" and .counted == false'
	[ -z "$(locks)" ]
}

@test "claim: on SIGTERM it closes its output and ends when its claims have ended" {
	post a && post b
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	viv-claim -f -r me >"$BATS_TEST_TMPDIR/fifo" &
	follower=$!
	exec 7<"$BATS_TEST_TMPDIR/fifo"
	read -r line <&7
	kill -TERM "$follower"
	run cat <&7
	[ -z "$output" ]
	kill -0 "$follower"
	jq -c '.status = "approved" | .events = [{status:"approved"}]' <<<"$line" | viv-log >/dev/null
	wait "$follower"
	[ "$(history_of b)" = queued ]
}

@test "claim: the first claim of a task edited in by hand records it" {
	by_hand '[{"id":"hand","command":"true","mine":[1]}]'
	viv-claim -r me | viv-log >/dev/null
	[ "$(history_of hand)" = 'queued in_progress' ]
	[ "$(jq -c 'select(.task_id == "hand") | [.status, .generation, .task.mine]' "$(log_file)" | head -n 1)" = '["queued",0,[1]]' ]
}

@test "claim: what only stages write is dropped from a task edited in by hand" {
	by_hand '[{"id":"hand","command":"true","result":{"status":"completed"},"safety":{"passed":true},"committed":true}]'
	viv-claim -r me | jq -e '.result == null and .safety == null and .committed == null'
}

@test "claim: the next attempt is told what was wrong with the one before" {
	viv-add -q -i a -m local --max-attempts 2 'ls nowhere' >/dev/null
	viv-claim -r me | viv-log | viv-cycle | viv-log | viv-review | viv-log >/dev/null
	[ "$(history_of a)" = 'queued in_progress completed pending_review requeue' ]
	VIV_NOW=2999-01-01 viv-claim -r me >"$BATS_TEST_TMPDIR/line"
	jq -e '.claim.attempt == 2 and .claim.generation == 3 and .previous.status == "requeue" and
	    .previous.review_verdict == "REJECT" and .previous.review_issues == ["exit status 2"]' "$BATS_TEST_TMPDIR/line"
}

@test "claim: a crash counts as an attempt, and after the last one the task fails" {
	post a
	sleep 100 &
	viv-claim -r me -P $! | viv-log >/dev/null
	kill -9 $!
	wait $! || true
	viv-claim -r me | viv-log >/dev/null
	[ "$(history_of a)" = 'queued in_progress in_progress failed' ]
	[ "$(tail -n 1 "$(log_file)" | jq -r .reason)" = 'no attempt left' ]
}

@test "claim: four at once never get the same task" {
	seq 60 | jq -c '{id: "n\(.)", command: "true"}' | viv-add -q >/dev/null
	for i in 1 2 3 4; do
		viv-claim -r "r$i" -c 60 >"$BATS_TEST_TMPDIR/r$i" &
	done
	wait
	[ "$(jq -r .id "$BATS_TEST_TMPDIR"/r? | sort -u | wc -l)" -eq 60 ]
	[ "$(cat "$BATS_TEST_TMPDIR"/r? | wc -l)" -eq 60 ]
}

@test "claim: a task without a usable id is reported and skipped" {
	by_hand '[{"id":"../x","command":"true"},{"command":"true"},{"id":"good","command":"true"}]'
	run viv-claim -r me -c 3
	[ "$status" -eq 0 ]
	[[ "$output" == *'../x'* ]]
	[ "$(grep -c '"id":"good"' <<<"$output")" -eq 1 ]
}

@test "claim: a damaged board is 78 with its line, and stays as it is" {
	printf '{"tasks":[\n{"id":"a",}\n]}\n' >"$W/world/mutable/queue.json"
	cp "$W/world/mutable/queue.json" "$BATS_TEST_TMPDIR/q"
	run viv-claim -r me
	[ "$status" -eq 78 ]
	[[ "$output" == *'line 2'* ]]
	cmp "$W/world/mutable/queue.json" "$BATS_TEST_TMPDIR/q"
}

@test "claim: the world is -C, then VIV_ROOT, then an ancestor; none is 78" {
	post a && post b && post c
	[ "$(VIV_ROOT=/nowhere ids -C "$W")" = a ]
	unset VIV_ROOT
	cd "$W/world"
	[ "$(ids)" = b ]
	cd /
	run viv-claim -r me
	[ "$status" -eq 78 ]
	[[ "$output" == *viv-init* ]]
	run viv-claim -r me -C "$BATS_TEST_TMPDIR"
	[ "$status" -eq 78 ]
}

@test "claim: wrong usage is 2" {
	for bad in '-c 0' '-c x' '-w 0' '-P x' '-l 0' '-m other' '-r a/b' 'extra' '-z'; do
		run viv-claim $bad
		must test "$bad $status" = "$bad 2"
		[[ "$output" == *usage:* ]]
	done
}

@test "claim: a full output is 74 and nothing stays claimed" {
	post a
	run bash -c 'viv-claim -r me >/dev/full'
	[ "$status" -eq 74 ]
	[ -z "$(locks)" ]
}

@test "claim: -e takes a task again at once when its attempt was given back" {
	post a --max-attempts 3 && post b --max-attempts 3
	timeout 20 viv-claim -e -w 2 -r me | viv-log | jq -c --unbuffered 'del(.committed) |
	    .status = (if .claim.attempt < 3 then "requeue" else "failed" end)' | viv-log \
	    >"$BATS_TEST_TMPDIR/lines"
	[ "$(jq -r '"\(.id) \(.claim.attempt)"' "$BATS_TEST_TMPDIR/lines" | sort | paste -sd, -)" = \
	    'a 1,a 2,a 3,b 1,b 2,b 3' ]
}

@test "claim: a task that comes back undone at once is left alone after three times" {
	post a && post b
	timeout 20 viv-claim -e -w 2 -r me 2>talk | viv-log | viv-release >"$BATS_TEST_TMPDIR/lines"
	[ "$(jq -r .id "$BATS_TEST_TMPDIR/lines" | sort | uniq -c | tr -s ' ')" = $' 3 a\n 3 b' ]
	[ "$(grep -c 'came back undone 3 times' talk)" -eq 2 ]
	run viv-claim -c 1 -r other	# it is nobody else's trouble
	[ "$status" -eq 0 ]
}

@test "claim: a signal that comes together with news is not overlooked" {
	[ "$(timeout 10 "$BUILD/test/stop_test")" = ok ]
}
