load helper

setup() {
	in_tree
	echo one >a.txt
}

teardown() {
	[ -z "${RESIDENT-}" ] || kill "$RESIDENT" 2>/dev/null || :
}

# Pid of this world's first process of that name.
stage_pid() {
	local p
	for p in $(pgrep -x "$1"); do
		if tr '\0' '\n' <"/proc/$p/environ" 2>/dev/null | grep -qFx "VIV_ROOT=$W"; then
			echo "$p"
			return
		fi
	done
}

no_claim_left() {
	[ -z "$(ls "$W/world/mutable/task_locks")" ]
}

running() {
	[ -n "$(ls "$W/world/mutable/task_locks")" ] && pgrep -f "^sleep 39.${BATS_TEST_NUMBER}$$\$" >/dev/null
}

# A world whose policy also lists sleep, and a task that takes long.
long_task() {
	jq '.programs += [{"name":"sleep","flags":[],"positional":{"min":1,"max":1},"examples":{"pass":["sleep 1"],"refuse":[]}}]' \
	    "$W/meta/security/policy.json" >p
	cat p >"$W/meta/security/policy.json"
	viv-add -q -m local -i long -t 60 "sleep 39.$BATS_TEST_NUMBER$$" >/dev/null
}

@test "resident: -e works off what is there, a chain included, and ends with 0" {
	printf '%s\n' '{"id":"b","command":"wc -l a.txt","depends_on":["a"]}' '{"id":"a","command":"ls"}' |
	    viv-add -q >/dev/null
	run viv-resident -e -r ada
	[ "$status" -eq 0 ]
	[ "$(history_of a)" = 'queued in_progress completed pending_review approved' ]
	[ "$(history_of b)" = 'queued in_progress completed pending_review approved' ]
	no_claim_left
	viv-log -V
}

@test "resident: several side by side run each task once" {
	for i in $(seq 60); do printf '{"id":"t%s","command":"true"}\n' "$i"; done | viv-add -q >/dev/null
	viv-resident -e -r one & one=$!
	viv-resident -e -r two & two=$!
	viv-resident -e -r three
	wait $one $two
	viv-resident -e -r last
	[ "$(jq -r 'select(.status == "approved") | .task_id' "$(log_file)" | sort | uniq | wc -l)" -eq 60 ]
	[ "$(jq -r 'select(.status == "approved") | .task_id' "$(log_file)" | wc -l)" -eq 60 ]
	no_claim_left
}

@test "resident: the exit status is that of the first stage that failed, and it is named" {
	mkdir shim
	printf '#!/bin/sh\ncat\nexit 69\n' >shim/viv-guard
	printf '#!/bin/sh\ncat\nexit 70\n' >shim/viv-review
	chmod +x shim/*
	viv-add -q -m local true >/dev/null
	PATH=$PWD/shim:$PATH run viv-resident -e -r ada
	[ "$status" -eq 69 ]
	[[ $output = *'viv-guard ended with 69'* ]]
}

@test "resident: SIGTERM to the script ends it, and what ran is given back uncounted" {
	long_task
	viv-resident -r ada 3>&- & RESIDENT=$!
	wait_until running
	kill -TERM $RESIDENT
	wait $RESIDENT || :
	no_claim_left
	[ "$(history_of long)" = 'queued in_progress requeue' ]
	[ "$(jq -r 'select(.status == "requeue") | .reason, .counted' "$(log_file)" | paste -sd' ')" = 'interrupted false' ]
	! pgrep -f "sleep 39.$BATS_TEST_NUMBER$$" >/dev/null
}

@test "resident: ctrl-C in its process group leaves no claim" {
	long_task
	setsid viv-resident -r ada 3>&- &
	wait_until running
	group=$(ps -o pgid= -p "$(stage_pid viv-claim)" | tr -d ' ')
	kill -INT -- "-$group"
	wait_until no_claim_left
	[[ $(history_of long) = 'queued in_progress requeue' ]]
}

@test "resident: when a stage is killed the others end and nothing stays claimed" {
	long_task
	viv-resident -r ada 3>&- & RESIDENT=$!
	wait_until running
	kill -KILL "$(stage_pid viv-review)"
	wait $RESIDENT || :
	wait_until no_claim_left
	wait_until eval '! pgrep -f "^sleep 39.$BATS_TEST_NUMBER$$\$" >/dev/null'
}

@test "resident: works in the bare environment of cron" {
	viv-add -q -m local -i a ls >/dev/null
	run env -i PATH="$PATH" VIV_ROOT="$W" sh -c 'viv-resident -e -r cron' </dev/null
	[ "$status" -eq 0 ]
	[[ $(history_of a) = *approved ]]
}

@test "resident: without a program that answers prompts are left alone" {
	viv-add -q -i think 'think about it' >/dev/null
	VIV_LLM=/nowhere/llm run timeout 30 viv-resident -e -r ada
	[ "$status" -eq 0 ]
	[ "$(history_of think)" = queued ]
}

# A program that answers every prompt.
answering() {
	printf '#!/bin/sh\nexec jq --unbuffered -c %s\n' "'select(.cancel == null) | .result = {status:\"completed\", text:\"hm\"}'" >llm
	chmod +x llm
	export VIV_LLM=$PWD/llm
}

@test "resident: with VIV_LLM it works on prompts and commands, side by side" {
	answering
	printf '%s\n' '{"id":"b","prompt":"and then","depends_on":["a"]}' '{"id":"a","command":"ls"}' | viv-add -q >/dev/null
	run viv-resident -e -r ada -j 2
	[ "$status" -eq 0 ]
	[ "$(history_of a) $(history_of b)" = 'queued in_progress completed pending_review approved queued in_progress completed pending_review approved' ]
	[ "$(viv-status -o b)" = hm ]
}

@test "resident: -m local, llm and any choose what is claimed" {
	answering
	printf '%s\n' '{"id":"think","prompt":"p"}' '{"id":"do","command":"ls"}' | viv-add -q >/dev/null
	viv-resident -e -m local -r ada
	[ "$(state do) $(state think)" = 'approved queued' ]
	viv-add -q -i again -m local ls >/dev/null
	viv-resident -e -m llm -r ada
	[ "$(state again) $(state think)" = 'queued approved' ]
	viv-add -q -i more 'q' >/dev/null
	viv-resident -e -m any -r ada
	[ "$(state again) $(state more)" = 'approved approved' ]
	run viv-resident -e -m other
	[ "$status" -eq 2 ]
}

@test "resident: when VIV_LLM is not there, -m llm is 78, and otherwise only commands are claimed" {
	printf '%s\n' '{"id":"think","prompt":"p"}' '{"id":"do","command":"ls"}' | viv-add -q >/dev/null
	VIV_LLM=/none run viv-resident -e -m llm
	[ "$status" -eq 78 ]
	[[ $output = *"cannot find '/none'"* ]]
	VIV_LLM=/none run viv-resident -e
	[ "$status" -eq 0 ]
	[[ $output = *"cannot find '/none'"* ]]
	[ "$(state do) $(state think)" = 'approved queued' ]
}

@test "resident: unknown options and bad numbers are usage errors" {
	run viv-resident -Q
	[ "$status" -eq 2 ]
	run viv-resident -j 0
	[ "$status" -eq 2 ]
	run viv-resident -r
	[ "$status" -eq 2 ]
	run viv-resident extra
	[ "$status" -eq 2 ]
	run viv-resident -h
	[ "$status" -eq 0 ]
	[[ $output = 'usage: viv-resident'* ]]
}

# --- more ---

post() { viv-add -q -m local -i "$@" >/dev/null; }
no_work_left() { no_claim_left && [ -z "$(ls "$W/world/mutable/work")" ]; }
state() { history_of "$1" | sed 's/.* //'; }
state_is() { [ "$(state "$1")" = "$2" ]; }
ended() { ! kill -0 "$RESIDENT" 2>/dev/null; }

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

@test "resident: halted it does not end, -e or not, and claims nothing" {
	post a pwd
	echo '{"halt":true}' >"$W/world/mutable/.swarm/kill_switch.json"
	viv-resident -e -r ada 3>&- &
	RESIDENT=$!
	kill -0 "$RESIDENT"
	echo '{"halt":false}' >"$W/world/mutable/.swarm/kill_switch.json"
	wait_until state_is a approved
	wait "$RESIDENT"
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

@test "resident: SIGTERM to its whole group, as from a service manager, leaves nothing" {
	long_task
	set -m
	viv-resident -r ada 3>&- 2>/dev/null &
	RESIDENT=$!
	set +m
	wait_until running
	kill -TERM -- "-$RESIDENT"
	wait "$RESIDENT" || true
	[ "$(history_of long)" = 'queued in_progress requeue' ]
	no_work_left
}

@test "resident: killing any stage that executes or comes after it ends it and leaves nothing" {
	long_task
	for stage in viv-cycle viv-review viv-release; do
		set -m
		viv-resident -e -r ada 3>&- 2>"$BATS_TEST_TMPDIR/talk" &
		RESIDENT=$!
		set +m
		wait_until running
		must kill -9 "$(pgrep -g "$RESIDENT" -x "$stage")"
		must wait_until ended
		must wait_until no_claim_left
		# Who was killed while executing cannot clean up; viv-tidy does.
		[ "$stage" = viv-cycle ] || must wait_until no_work_left
		rm -rf "$W"/world/mutable/work/*
		must state_is long requeue
	done
}

@test "resident: viv-claim killed by SIGKILL ends it when its work is done, and nothing is lost" {
	post a pwd
	viv-resident -r ada 3>&- 2>/dev/null &
	wait_until state_is a approved
	kill -9 "$(stage_pid viv-claim)"
	run wait $!
	no_work_left
}

@test "resident: in a session without a terminal" {
	post a 'echo hi'
	setsid -w viv-resident -e </dev/null >/dev/null 2>&1
	[ "$(state a)" = approved ]
}

