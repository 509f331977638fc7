load helper

# One bare request through viv-cycle: the line that comes out.
cycle() { jq -nc "$1" | viv-cycle "${@:2}" 2>"$BATS_TEST_TMPDIR/talk"; }

# A claimed and recorded line of a new task.
claimed() {
	viv-add -q -m local -i "$@" >/dev/null
	viv-claim -r me | viv-log
}

policy() {
	jq "$1" "$W/meta/security/policy.json" >"$BATS_TEST_TMPDIR/p"
	cat "$BATS_TEST_TMPDIR/p" >"$W/meta/security/policy.json"
}

# Allow sleep and sh: what a command may do to us when it is not as tame as the listed ones.
wild() {
	policy '.programs += [{"name":"sleep","positional":{"min":1,"max":1}},
	    {"name":"dash","style":"free","fork":true}]'
}

sha_of() { sha256sum | cut -d' ' -f1; }
gone() { ! kill -0 "$1" 2>/dev/null; }

@test "cycle: a command's output, its size, hash and exit code come back" {
	echo hello >"$BATS_TEST_TMPDIR/tree/f"
	claimed a 'cat f' | viv-cycle >"$BATS_TEST_TMPDIR/line"
	jq -e --arg sha "$(echo hello | sha_of)" '.status == "completed" and .result.status == "completed" and
	    .result.stdout == "hello\n" and .result.stdout_bytes == 6 and .result.stdout_sha256 == $sha and
	    .result.exit_code == 0 and .result.signal == null and (.result.timed_out | not) and
	    (.result.truncated | not) and .result.argv == ["cat","f"]' "$BATS_TEST_TMPDIR/line"
	jq -e '[.events[] | .status, .exit_code, .final] == ["completed", 0, null]' "$BATS_TEST_TMPDIR/line"
}

@test "cycle: the evidence file holds the result without the token, and the event its hash" {
	claimed a 'echo x' | viv-cycle >"$BATS_TEST_TMPDIR/line"
	f=$W/$(jq -r .result.file "$BATS_TEST_TMPDIR/line")
	[ "$f" = "$W/world/mutable/results/a.1.json" ]
	[ "$(sha_of <"$f")" = "$(jq -r .result.sha256 "$BATS_TEST_TMPDIR/line")" ]
	[ "$(sha_of <"$f")" = "$(jq -r '.events[0].result_sha256' "$BATS_TEST_TMPDIR/line")" ]
	jq -e '.result.stdout == "x\n" and .task.id == "a" and .claim.generation == 1 and .claim.token == null' "$f"
	[ "$(stat -c %a "$f")" = 600 ]
}

@test "cycle: both streams are kept apart" {
	echo in >"$BATS_TEST_TMPDIR/tree/f"
	cycle '{id:"x",command:"cat f nowhere"}' -D "$BATS_TEST_TMPDIR/tree" >"$BATS_TEST_TMPDIR/line"
	jq -e '.result.stdout == "in\n" and (.result.stderr | test("nowhere: No such file")) and
	    .result.exit_code == 1 and .result.status == "failed" and .status == "completed"' "$BATS_TEST_TMPDIR/line"
}

@test "cycle: ok_exit says which exit codes are a success" {
	[ "$(cycle '{id:"x",command:"ls nowhere",ok_exit:[0,2]}' | jq -r .result.status)" = completed ]
	[ "$(cycle '{id:"x",command:"true",ok_exit:[2]}' | jq -r .result.status)" = failed ]
}

@test "cycle: output beyond -o is cut, counted and hashed" {
	seq 1000 >"$BATS_TEST_TMPDIR/tree/f"
	cycle '{id:"x",command:"cat f"}' -o 7 -D "$BATS_TEST_TMPDIR/tree" >"$BATS_TEST_TMPDIR/line"
	jq -e --arg sha "$(seq 1000 | sha_of)" '.result.stdout == "1\n2\n3\n4" and .result.stdout_bytes == 3893 and
	    .result.stdout_sha256 == $sha and .result.truncated' "$BATS_TEST_TMPDIR/line"
}

@test "cycle: binary output stays valid JSON and keeps its hash" {
	printf 'a\377\000b\303\251' >"$BATS_TEST_TMPDIR/tree/f"
	cycle '{id:"x",command:"cat f"}' -D "$BATS_TEST_TMPDIR/tree" >"$BATS_TEST_TMPDIR/line"
	jq -e --arg sha "$(sha_of <"$BATS_TEST_TMPDIR/tree/f")" '.result.stdout == "a\ufffd\ufffdbé" and
	    .result.stdout_bytes == 6 and .result.stdout_sha256 == $sha' "$BATS_TEST_TMPDIR/line"
}

@test "cycle: a command's standard input is empty" {
	printf '%s\n' '{"id":"x","command":"cat"}' '{"id":"y","command":"true"}' | viv-cycle >"$BATS_TEST_TMPDIR/out"
	[ "$(jq -c '[.id,.result.stdout]' "$BATS_TEST_TMPDIR/out" | paste -sd' ' -)" = '["x",""] ["y",""]' ]
}

@test "cycle: without a workdir a command runs in an empty scratch directory that goes with it" {
	(cd / && viv-add -q -m local -i a 'find .' >/dev/null)
	viv-claim -r me | viv-log | viv-cycle >"$BATS_TEST_TMPDIR/line"
	jq -e '.result.stdout == ".\n" and (.result.workdir | test("world/mutable/work/a.1$"))' "$BATS_TEST_TMPDIR/line"
	[ -z "$(ls "$W/world/mutable/work")" ]
}

@test "cycle: a workdir inside a read root is where it runs, outside it is refused" {
	mkdir "$BATS_TEST_TMPDIR/tree/sub" "$BATS_TEST_TMPDIR/other"
	[ "$(cycle "{id:\"x\",command:\"pwd\",workdir:\"$BATS_TEST_TMPDIR/tree/sub\"}" | jq -r .result.stdout)" = "$BATS_TEST_TMPDIR/tree/sub" ]
	ln -s "$BATS_TEST_TMPDIR/other" "$BATS_TEST_TMPDIR/tree/link"
	for dir in "$BATS_TEST_TMPDIR/other" / "$W" "$W/meta/security" "$BATS_TEST_TMPDIR/tree/../other" \
	    "$BATS_TEST_TMPDIR/tree/link" "$BATS_TEST_TMPDIR/tree/none"; do
		cycle "{id:\"x\",command:\"pwd\",workdir:\"$dir\"}" >"$BATS_TEST_TMPDIR/line"
		must jq -e '.status == "failed" and .result == null and (.reason | test("refused by policy"))' "$BATS_TEST_TMPDIR/line"
	done
}

@test "cycle: -D is where tasks without a workdir run, and must be outside the world" {
	[ "$(cycle '{id:"x",command:"pwd"}' -D "$BATS_TEST_TMPDIR/tree" | jq -r .result.stdout)" = "$BATS_TEST_TMPDIR/tree" ]
	[ "$(cycle '{id:"x",command:"pwd"}' -D "$BATS_TEST_TMPDIR/none" | jq -r .status)" = failed ]
	for dir in "$W" "$W/meta/audit" "$BATS_TEST_TMPDIR"; do
		cycle '{id:"x",command:"rg --no-ignore seq ."}' -D "$dir" >"$BATS_TEST_TMPDIR/line"
		must jq -e '.status == "failed" and .result == null' "$BATS_TEST_TMPDIR/line"
	done
}

@test "cycle: a command that takes too long is killed with everything it started" {
	wild
	cycle "{id:\"x\",command:\"dash -c 'sleep 2917 & sleep 2917 & echo go; wait'\",timeout:1}" >"$BATS_TEST_TMPDIR/line"
	jq -e '.result.timed_out and .result.stdout == "go\n" and .result.exit_code == null and
	    .result.why == "timed_out" and .result.status == "failed"' "$BATS_TEST_TMPDIR/line"
	[ -z "$(ps -eo args | grep '^sleep 2917$')" ]
}

@test "cycle: -t is the timeout of tasks that name none" {
	wild
	cycle '{id:"x",command:"sleep 300"}' -t 1 | jq -e '.result.timed_out and .result.signal == 15'
}

@test "cycle: the signal that ended a command is told" {
	wild
	cycle "{id:\"x\",command:\"dash -c 'kill -9 \$\$'\"}" | jq -e '.result.signal == 9 and .result.exit_code == null and (.result.timed_out | not)'
}

@test "cycle: -j runs so many at once, and each comes out when it ends" {
	wild
	mkfifo "$BATS_TEST_TMPDIR/in"
	viv-cycle -j 3 <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" &
	printf '%s\n' '{"id":"slow","command":"sleep 300","timeout":2}' '{"id":"quick","command":"true"}' \
	    '{"id":"next","command":"true"}' '{"id":"last","command":"true"}' >"$BATS_TEST_TMPDIR/in"
	wait $!
	[ "$(jq -r .id "$BATS_TEST_TMPDIR/out" | tail -n 1)" = slow ]
	[ "$(wc -l <"$BATS_TEST_TMPDIR/out")" -eq 4 ]
	viv-cycle -j 1 >"$BATS_TEST_TMPDIR/out" <<-X
	{"id":"slow","command":"sleep 300","timeout":1}
	{"id":"quick","command":"true"}
	X
	[ "$(jq -r .id "$BATS_TEST_TMPDIR/out" | paste -sd' ' -)" = 'slow quick' ]
}

# A claimed line whose command sleeps, in a viv-cycle in the background.
sleeping() {
	wild
	claimed a 'sleep 300' >"$BATS_TEST_TMPDIR/claimed"
	mkfifo "$BATS_TEST_TMPDIR/in"
	viv-cycle <"$BATS_TEST_TMPDIR/in" >"${1-$BATS_TEST_TMPDIR/out}" 8>&- &
	pid=$!
	exec 7>"$BATS_TEST_TMPDIR/in"
	cat "$BATS_TEST_TMPDIR/claimed" >&7
	wait_until command_pid
}
command_pid() { child=$(pgrep -n -x sleep -P "$pid"); }

@test "cycle: on SIGTERM commands are killed and requeued, not counted as an attempt" {
	sleeping
	kill -TERM "$pid"
	wait_until gone "$child"
	exec 7>&-
	wait "$pid"
	jq -e '.status == "requeue" and .result == null and .events == [{"status":"requeue","reason":"interrupted","final":true,"counted":false}]' "$BATS_TEST_TMPDIR/out"
	viv-log <"$BATS_TEST_TMPDIR/out" >/dev/null
	[ "$(viv-claim -r me | jq -r .claim.attempt)" -eq 1 ]
}

@test "cycle: after SIGTERM nothing new is started" {
	sleeping
	kill -TERM "$pid"
	wait_until test -s "$BATS_TEST_TMPDIR/out"
	echo '{"id":"x","command":"true"}' >&7
	exec 7>&-
	wait "$pid"
	[ "$(jq -rs '.[1] | .id + " " + .status + " " + .reason' "$BATS_TEST_TMPDIR/out")" = 'x requeue interrupted' ]
}

@test "cycle: the kill switch ends what runs and keeps the rest from starting" {
	sleeping
	echo '{"halt":true,"reason":"test"}' >"$W/world/mutable/.swarm/kill_switch.json"
	wait_until gone "$child"
	wait_until test -s "$BATS_TEST_TMPDIR/out"
	exec 7>&-
	wait "$pid"
	[ "$(jq -r '.status + " " + .reason' "$BATS_TEST_TMPDIR/out")" = 'requeue halted' ]
	[ "$(cycle '{id:"x",command:"true"}' | jq -r '.status + " " + .reason')" = 'requeue halted' ]
}

@test "cycle: a reader that has gone ends it and its command" {
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	exec 8<>"$BATS_TEST_TMPDIR/fifo"
	sleeping "$BATS_TEST_TMPDIR/fifo"
	exec 8<&-
	wait_until gone "$child"
	wait_until gone "$pid"
	exec 7>&-
	[ -z "$(ls "$W/world/mutable/work")" ]
}

@test "cycle: killed by SIGKILL it takes its command along" {
	sleeping
	kill -9 "$pid"
	wait_until gone "$child"
	exec 7>&-
}

@test "cycle: a line whose claim is lost is not run and becomes lost" {
	echo a >"$BATS_TEST_TMPDIR/tree/f"
	claimed a 'cat f' >"$BATS_TEST_TMPDIR/claimed"
	viv-release -r me a >/dev/null
	viv-cycle <"$BATS_TEST_TMPDIR/claimed" >"$BATS_TEST_TMPDIR/line" 2>/dev/null
	jq -e '.status == "lost" and .result == null and .events == null' "$BATS_TEST_TMPDIR/line"
	[ -z "$(ls "$W/world/mutable/results")" ]
}

@test "cycle: a command whose claim is taken away while it runs is killed" {
	wild
	viv-add -q -m local -i a 'sleep 300' >/dev/null
	viv-claim -r me -l 1 | viv-log >"$BATS_TEST_TMPDIR/claimed"
	viv-cycle <"$BATS_TEST_TMPDIR/claimed" >"$BATS_TEST_TMPDIR/out" 2>/dev/null &
	pid=$!
	wait_until command_pid
	viv-release -f -r me a >/dev/null
	wait "$pid"
	[ "$(jq -r .status "$BATS_TEST_TMPDIR/out")" = lost ]
	gone "$child"
}

@test "cycle: what the policy refuses fails with the reason and is not run" {
	for c in 'rm -rf x' 'ls; id' 'rg --pre sh x' '/bin/ls'; do
		cycle "{id:\"x\",command:\"$c\"}" >"$BATS_TEST_TMPDIR/line"
		must jq -e '.status == "failed" and .result == null and .events[0].final and
		    (.reason | startswith("refused by policy: "))' "$BATS_TEST_TMPDIR/line"
	done
}

@test "cycle: without viv-llm a prompt is requeued for later, uncounted" {
	VIV_LLM=no-such-viv-llm VIV_NOW=2030-01-01T00:00:00Z cycle '{id:"x",prompt:"hello"}' >"$BATS_TEST_TMPDIR/line"
	jq -e '.status == "requeue" and (.reason | test("no-such-viv-llm")) and .events[0].counted == false and
	    .events[0].not_before > "2030-01-01T00:00"' "$BATS_TEST_TMPDIR/line"
}

@test "cycle: a line with neither command nor prompt fails" {
	[ "$(cycle '{id:"x"}' | jq -r .status)" = failed ]
	[ "$(cycle '{id:"x",mode:"local",prompt:"ls"}' | jq -r .status)" = failed ]
}

@test "cycle: lines that are not open pass unchanged" {
	for s in approved failed requeue lost completed pending_review; do
		line='{"id":"x","command":"true","status":"'$s'","mine":[1,{"a":null}]}'
		must test "$(viv-cycle <<<"$line")" = "$line"
	done
}

@test "cycle: a bare request needs no world" {
	unset VIV_ROOT
	cd "$BATS_TEST_TMPDIR"
	[ "$(echo '{"id":"x","command":"echo hi"}' | viv-guard | viv-cycle | jq -r .result.stdout)" = hi ]
	[ "$(echo '{"command":"echo hi"}' | viv-cycle | jq -r .result.stdout)" = hi ]
	VIV_ROOT=/nowhere run viv-cycle </dev/null
	[ "$status" -eq 78 ]
}

@test "cycle: damaged lines are named and the rest goes on" {
	printf '%s\n' '{"id":"x","command":"true"}' '{"id":' '[1]' '{"id":"y","command":"true"}' >"$BATS_TEST_TMPDIR/in"
	run bash -c 'viv-cycle <"$1" 2>"$2" | jq -r .id; exit ${PIPESTATUS[0]}' - "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/talk"
	[ "$status" -eq 1 ]
	[ "$output" = $'x\ny' ]
	grep -q 'line 2' "$BATS_TEST_TMPDIR/talk"
	grep -q 'line 3: not a JSON object' "$BATS_TEST_TMPDIR/talk"
}

@test "cycle: a damaged policy is 78, a full output 74, wrong usage 2" {
	run bash -c 'echo "{\"id\":\"x\",\"command\":\"true\"}" | viv-cycle >/dev/full'
	[ "$status" -eq 74 ]
	for bad in '-j 0' '-j 9999' '-t 0' '-t x' '-o x' 'extra' '-z'; do
		run viv-cycle $bad
		must test "$bad $status" = "$bad 2"
	done
	echo '{' >"$W/meta/security/policy.json"
	run viv-cycle </dev/null
	[ "$status" -eq 78 ]
}
