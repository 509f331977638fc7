bats_require_minimum_version 1.5.0
load helper

teardown() { [ -z "${reaper-}" ] || kill -CONT "$reaper" 2>/dev/null || :; }

claim_line() {
	viv-claim -c 1 -r "${1-me}" | viv-log >line
}

@test "release: a line that has not ended is given back, uncounted" {
	viv-add -q -m local -i a true >/dev/null
	claim_line
	run viv-release <line
	[ "$status" -eq 0 ]
	[ "$(jq -r .status <<<"$output")" = requeue ]
	[ "$(history_of a)" = 'queued in_progress requeue' ]
	[ "$(jq -c 'select(.status == "requeue") | [.reason, .final, .counted]' "$(log_file)")" = '["released",true,false]' ]
	[ -z "$(ls "$W/world/mutable/task_locks")" ]
}

@test "release: what was given back can be claimed at once, as the same attempt" {
	viv-add -q -m local -i a true >/dev/null
	claim_line
	viv-release <line >/dev/null
	run viv-claim -c 1 -r other
	[ "$(jq -c '[.claim.generation, .claim.attempt]' <<<"$output")" = '[3,1]' ]
}

@test "release: a line whose end is recorded passes as it is" {
	viv-add -q -m local -i a true >/dev/null
	viv-claim -c 1 -r me | viv-log | viv-guard | viv-cycle | viv-log | viv-review | viv-log >line
	count=$(wc -l <"$(log_file)")
	run viv-release <line
	[ "$status" -eq 0 ]
	[ "$output" = "$(cat line)" ]
	[ "$(wc -l <"$(log_file)")" -eq "$count" ]
}

@test "release: completed but not reviewed is not an end" {
	viv-add -q -m local -i a true >/dev/null
	viv-claim -c 1 -r me | viv-log | viv-guard | viv-cycle | viv-log | viv-release >/dev/null
	[ "$(history_of a)" = 'queued in_progress completed requeue' ]
}

@test "release: lines without a claim and lost ones pass untouched" {
	printf '%s\n' '{"id":"x"}' '{"id":"y","status":"lost","claim":{"token":"t"}}' >line
	run viv-release <line
	[ "$status" -eq 0 ]
	[ "$output" = "$(cat line)" ]
}

@test "release: ids are given back when the resident owns them" {
	viv-add -q -m local -i a true >/dev/null
	claim_line ada
	run viv-release a
	[ "$status" -eq 77 ]
	[[ $output = *"'a' is claimed by 'ada'"* ]]
	run viv-release -r bob a
	[ "$status" -eq 77 ]
	[ "$(history_of a)" = 'queued in_progress' ]
	run viv-release -r ada -M 'going home' a
	[ "$status" -eq 0 ]
	[ "$(viv-log -t a -s requeue | jq -r .reason)" = 'going home' ]
	run viv-release -r ada a
	[ "$status" -eq 77 ]
	[[ $output = *"'a' is not claimed"* ]]
}

@test "release: -a gives back all of one resident and nobody else's" {
	for i in 1 2 3; do viv-add -q -m local -i t$i true >/dev/null; done
	viv-claim -c 2 -r ada | viv-log >/dev/null
	viv-claim -c 1 -r bob | viv-log >/dev/null
	run viv-release -a -r ada
	[ "$status" -eq 0 ]
	[ "$(viv-log -s requeue | jq -r .task_id | sort | paste -sd' ')" = 't1 t2' ]
	[ "$(ls "$W/world/mutable/task_locks")" = t3.lock ]
	run viv-release -a -r ada
	[ "$status" -eq 1 ]
}

@test "release: a claim that was taken over is refused and the line says lost" {
	viv-add -q -m local -i a --max-attempts 3 true >/dev/null
	sh -c 'echo $$ >pid'
	viv-claim -c 1 -r me -P "$(cat pid)" | viv-log >line
	viv-claim -c 1 -r other | viv-log >/dev/null
	run viv-release <line
	[ "$(jq -r .status <<<"$output")" = lost ]
	[ -e "$W/world/mutable/task_locks/a.lock.2" ]
}

@test "release: -n names what it would give back and changes no byte" {
	viv-add -q -m local -i a true >/dev/null
	claim_line
	before=$(find "$W" -type f -exec sha256sum {} + | sort)
	run viv-release -n -r me a
	[ "$output" = a ]
	[ "$(find "$W" -type f -exec sha256sum {} + | sort)" = "$before" ]
}

@test "release: damaged lines are reported, the rest goes on" {
	viv-add -q -m local -i a true >/dev/null
	claim_line
	{ echo '{"torn'; cat line; } >lines
	run --separate-stderr viv-release <lines
	[ "$status" -eq 1 ]
	[[ $stderr = *'line 1: '* ]]
	[ "$(jq -r .status <<<"$output")" = requeue ]
}

@test "release: usage errors, and no world" {
	run viv-release -a
	[ "$status" -eq 2 ]
	run viv-release -a -r me extra
	[ "$status" -eq 2 ]
	run viv-release -Q
	[ "$status" -eq 2 ]
	VIV_ROOT=$BATS_TEST_TMPDIR/none run viv-release x
	[ "$status" -eq 78 ]
	run viv-release -r me ../x
	[ "$status" -eq 78 ]
}

@test "release: what was executed and has no verdict has used its attempt" {
	viv-add -q -m local -i a true >/dev/null
	viv-claim -c 1 -r r | viv-log | viv-cycle | viv-log | viv-release >/dev/null
	[ "$(jq -r 'select(.final) | [.status, .reason, .counted] | @tsv' "$(log_file)")" = \
	    "$(printf 'requeue\treleased without a verdict\t')" ]
	timeout 20 viv-claim -e -r r | viv-log | viv-cycle | viv-log | viv-release >/dev/null
	[ "$(jq -r 'select(.status == "completed") | .task_id' "$(log_file)" | wc -l)" -eq 1 ]
	[ "$(jq -r 'select(.final) | .status' "$(log_file)" | tail -n 1)" = failed ]
}

# A command of task a under a viv-cycle in the background: cycle, its reaper, the command.
executing() {
	jq '.programs += [{"name":"sleep","positional":{"min":1,"max":1}},{"name":"dash","style":"free","fork":true}]' \
	    "$W/meta/security/policy.json" >p
	cat p >"$W/meta/security/policy.json"
	viv-add -q -m local -i a --max-attempts 5 "$@" >/dev/null
	claim_line
	mkfifo in
	viv-cycle <in >out 3>&- &
	cycle=$!
	exec 7>in
	cat line >&7
	wait_until command_pid
	reaper=$(pgrep -x viv-reaper -P "$cycle")
}
command_pid() { command=$(pgrep -n -x 'sleep|dash' -P "$cycle"); }
gone() { ! kill -0 "$1" 2>/dev/null; }
# Gone, or a zombie that nobody has reaped yet.
dead() { [[ $(ps -o stat= -p "$1") =~ ^Z|^$ ]]; }
free() { flock -n -x "$W/world/mutable/task_locks/a.lock" true; }

@test "release: what a live viv-cycle executes is given back only by force" {
	executing 'sleep 300'
	for how in a '-a'; do
		run viv-release -r me $how
		[ "$status" -eq 77 ]
		[[ $output = *"'a' is being executed"* ]]
	done
	run viv-release -n -r me a
	[ "$status" -eq 77 ]
	[ "$(history_of a)" = 'queued in_progress' ]
	run viv-release -f -r me a
	[ "$status" -eq 0 ]
	[ "$(history_of a)" = 'queued in_progress requeue' ]
	kill "$cycle"
	exec 7>&-
	wait "$cycle"
	run viv-release -r me a
	[[ $output = *"'a' is not claimed"* ]]
}

@test "release: a task counts as executed until the command of a killed viv-cycle is dead" {
	# The reaper is stopped: what dash has started lives on, and nobody may begin again.
	executing "dash -c 'sleep 307 & wait'"
	child() { child=$(pgrep -n -x sleep -P "$command"); }
	wait_until child
	kill -STOP "$reaper"
	kill -9 "$cycle"
	wait_until gone "$cycle"
	wait_until gone "$command"
	must kill -0 "$child"
	run free
	[ "$status" -eq 1 ]
	run viv-release -r me a
	[ "$status" -eq 77 ]
	kill -CONT "$reaper"
	wait_until free
	must dead "$child"
	exec 7>&-
	run viv-release -r me a
	[ "$status" -eq 0 ]
}

@test "release: a command that has ended is executed no more, though its viv-cycle lives" {
	executing 'sleep 1'
	wait_until test -s out
	[ "$(viv-log <out | jq -r .status)" = completed ]
	viv-release -r me a
	exec 7>&-
	wait "$cycle"
	wait_until dead "$reaper"
}

# A prompt of task a under a viv-cycle in the background, put to the program $1.
answering() {
	printf '#!/bin/sh\nread -r line\n%s\n' "$1" >llm
	chmod +x llm
	viv-add -q -i a --max-attempts 5 'say hello' >/dev/null
	claim_line
	mkfifo in
	VIV_LLM=$PWD/llm viv-cycle <in >out 3>&- &
	cycle=$!
	exec 7>in
	cat line >&7
}

@test "release: a prompt counts as executed until the program of a killed viv-cycle is dead" {
	answering "trap '' TERM; echo \$\$ >pid; while :; do sleep 1; done"
	wait_until test -s pid
	reaper=$(pgrep -x viv-reaper -P "$cycle")
	kill -STOP "$reaper"
	kill -9 "$cycle"
	wait_until gone "$cycle"
	must kill -0 "$(cat pid)"
	run free
	[ "$status" -eq 1 ]
	run viv-release -r me a
	[ "$status" -eq 77 ]
	kill -CONT "$reaper"
	wait_until free
	must dead "$(cat pid)"
	exec 7>&-
	run viv-release -r me a
	[ "$status" -eq 0 ]
}

@test "release: a prompt that was answered is executed no more, though its viv-cycle lives" {
	answering 'echo "$line" | jq -c ".result = {status: \"completed\", text: \"yes\"}"; exec sleep 300'
	wait_until test -s out
	[ "$(viv-log <out | jq -r .status)" = completed ]
	viv-release -r me a
	exec 7>&-
	wait "$cycle"
}
