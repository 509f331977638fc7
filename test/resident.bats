load helper

post() { viv-add -q -m local -i "$@" >/dev/null; }
no_claims() { [ -z "$(ls "$W/world/mutable/task_locks")" ] && [ -z "$(ls "$W/world/mutable/work")" ]; }
state() { history_of "$1" | sed 's/.* //'; }
state_is() { [ "$(state "$1")" = "$2" ]; }

# Programs found before the real stages.
shim() {
	mkdir -p "$BATS_TEST_TMPDIR/shim"
	printf '#!/bin/sh\n%s\n' "$2" >"$BATS_TEST_TMPDIR/shim/$1"
	chmod +x "$BATS_TEST_TMPDIR/shim/$1"
}

wild() {
	jq '.programs += [{"name":"sleep","positional":{"min":1,"max":1}}]' "$W/meta/security/policy.json" >"$BATS_TEST_TMPDIR/p"
	cat "$BATS_TEST_TMPDIR/p" >"$W/meta/security/policy.json"
}

# A resident in a process group of its own, as a job of a shell is, whose task sleeps.
sleeper() {
	wild
	post a 'sleep 300'
	post b 'sleep 300'
	set -m
	viv-resident -r ada 3>&- 2>"$BATS_TEST_TMPDIR/talk" &
	pid=$!
	set +m
	runs() { child=$(pgrep -n -g "$(pgrep -n -x sleep)" -x sleep) && state_is a in_progress; }
	wait_until runs
}
teardown() { [ -z "${pid-}" ] || kill -9 -- "-$pid" 2>/dev/null || true; }

@test "resident: -e works off the board in its order and ends with 0" {
	post a 'echo one' && post b 'ls nowhere' && post c -d a 'echo two' && post d -d b true
	run viv-resident -e -r ada
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(state a) $(state b) $(state c) $(state d)" = 'approved failed approved queued' ]
	[ "$(viv-log -r ada -s approved | wc -l)" -eq 2 ]
	no_claims
	viv-log -V
}

@test "resident: with an empty board -e ends at once" {
	run timeout 20 viv-resident -e
	[ "$status" -eq 0 ]
}

@test "resident: -c, -T, -i and -j reach the stages" {
	post a -T x pwd && post b -T y pwd && post c -T y pwd
	timeout 20 viv-resident -e -T y -c 1 -i ida -j 2 -r ada
	[ "$(state a) $(state b) $(state c)" = 'queued approved queued' ]
	[ "$(viv-log -s approved | jq -r .identity_id)" = ida ]
}

@test "resident: -C names the world" {
	post a pwd
	VIV_ROOT=/nowhere timeout 20 viv-resident -e -C "$W"
	[ "$(state a)" = approved ]
}

@test "resident: its exit status is that of the first stage that failed" {
	post a pwd
	shim viv-guard 'cat; exit 9'
	shim viv-review 'cat; exit 8'
	PATH=$BATS_TEST_TMPDIR/shim:$PATH run timeout 20 viv-resident -e -r ada
	[ "$status" -eq 9 ]
	[[ "$output" == *'viv-guard ended with 9'* ]]
	no_claims
}

@test "resident: halted it does not end, -e or not, and claims nothing" {
	post a pwd
	echo '{"halt":true}' >"$W/world/mutable/.swarm/kill_switch.json"
	viv-resident -e -r ada 3>&- &
	pid=$!
	kill -0 "$pid"
	echo '{"halt":false}' >"$W/world/mutable/.swarm/kill_switch.json"
	wait_until state_is a approved
	wait "$pid"
}

@test "resident: no world is 78, wrong usage 2" {
	run viv-resident -e -C /nowhere
	[ "$status" -eq 78 ]
	for bad in '-j 0' '-j x' '-j' '-z' 'extra' '-c'; do
		run viv-resident $bad
		must test "$bad $status" = "$bad 2"
		[[ "$output" == *usage:* ]]
	done
}

@test "resident: a damaged board is 78 and changes nothing" {
	echo '{' >"$W/world/mutable/queue.json"
	run viv-resident -e
	[ "$status" -eq 78 ]
	[[ "$output" == *'viv-claim ended with 78'* ]]
}

@test "resident: ctrl-C ends it, its commands and its claims" {
	sleeper
	kill -INT -- "-$pid"
	wait "$pid" || true
	[ "$(history_of a)" = 'queued in_progress requeue' ]
	no_claims
	[ -z "$(viv-log -t a -s requeue | jq 'select(.counted != false)')" ]
}

@test "resident: SIGTERM to its group, as from a service manager, leaves no claim" {
	sleeper
	kill -TERM -- "-$pid"
	wait "$pid" || true
	[ "$(history_of a)" = 'queued in_progress requeue' ]
	no_claims
}

@test "resident: SIGTERM to the script alone ends it as well" {
	sleeper
	kill -TERM "$pid"
	gone() { ! kill -0 "$pid" 2>/dev/null; }
	wait_until gone
	wait_until no_claims
}

@test "resident: any stage killed by SIGKILL ends it and leaves no claim" {
	for stage in viv-review viv-cycle viv-guard viv-release; do
		sleeper_again "$stage"
	done
}

sleeper_again() {
	[ -n "${pid-}" ] || wild
	post "$1" -p 9 'sleep 300'
	set -m
	viv-resident -e -r ada 3>&- 2>/dev/null &
	pid=$!
	set +m
	wait_until state_is "$1" in_progress
	kill -9 "$(pgrep -g "$pid" -x "$1")"
	gone() { ! kill -0 "$pid" 2>/dev/null; }
	wait_until gone
	wait_until no_claims
	must test "$(state "$1")" = requeue
	viv-add -q -x "$1"
}

@test "resident: viv-claim killed by SIGKILL ends it when its work is done, and nothing is lost" {
	post a pwd
	viv-resident -r ada 3>&- 2>/dev/null &
	wait_until state_is a approved
	kill -9 "$(pgrep -f "viv-claim -f .* -r ada")"
	run wait $!
	no_claims
}

@test "resident: as from cron, with nothing but PATH and VIV_ROOT" {
	post a 'echo hi'
	cd /
	run env -i PATH="$BIN:/usr/bin:/bin" VIV_ROOT="$W" viv-resident -e </dev/null
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(state a)" = approved ]
}

@test "resident: in a session without a terminal" {
	post a 'echo hi'
	setsid -w viv-resident -e </dev/null >/dev/null 2>&1
	[ "$(state a)" = approved ]
}

@test "resident: five side by side do each task once" {
	seq 50 | jq -c '{id: "n\(.)", command: "echo \(.)"}' | viv-add -q >/dev/null
	for i in 1 2 3 4 5; do
		timeout 60 viv-resident -e -r "r$i" -j 2 3>&- &
	done
	wait
	[ "$(viv-log -s approved | jq -r .task_id | sort -u | wc -l)" -eq 50 ]
	[ "$(viv-log -s in_progress | wc -l)" -eq 50 ]
	no_claims
	viv-log -V
}
