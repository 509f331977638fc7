# viv-doctor: each test breaks a world by hand, sees it reported, has it repaired, and
# finds the second look clean.

load helper

M=world/mutable
A=meta/audit

board() { jq -r '.tasks[].id' "$W/$M/queue.json" | paste -sd' ' -; }
sum() { find "$W" -name .cache -prune -o \( -type f -exec sha256sum {} + \) -o -type d -printf '%p %m\n' | sort; }

post() {
	local id
	for id in "$@"; do
		viv-add -q -i "$id" -m local true >/dev/null
	done
}

# Post tasks $2.. and end each with status $1.
ended() {
	local status=$1
	shift
	post "$@"
	timeout 20 viv-claim -c $# -r r | viv-log | jq -c --arg s "$status" 'del(.committed) | .status = $s' |
	    viv-log | viv-release >/dev/null
}

# A first look changes nothing, exits with 1 and says $1; -r repairs; then all is well.
heals() {
	sum > before
	run viv-doctor
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == "repair "*"$1"* ]]
	sum | diff before -
	run viv-doctor -r
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"$1"* ]]
	run viv-doctor
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

# It cannot be repaired, and -r does not touch it: 78 and $1.
reports() {
	local before
	before=$(sum)
	for r in '' -r; do
		# shellcheck disable=SC2086
		run viv-doctor $r
		echo "$output"
		[ "$status" -eq 78 ]
		[[ $output == *"error $1"* ]]
		[ "$(sum)" = "$before" ]
	done
}

@test "doctor: usage, and a directory that is no world" {
	run viv-doctor -h
	[ "$status" -eq 0 ]
	run viv-doctor -x
	[ "$status" -eq 2 ]
	run viv-doctor extra
	[ "$status" -eq 2 ]
	run viv-doctor -C "$BATS_TEST_TMPDIR/tree"
	[ "$status" -eq 78 ]
}

@test "doctor: a fresh world, a used one and a tidied one are clean" {
	run viv-doctor -v
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	ended approved a b
	ended failed c
	post d
	run viv-doctor -v
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	viv-tidy -q -o 0 -s 1
	run viv-doctor -v
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "doctor: a world with nothing but world/mutable is made whole" {
	rm -rf "$W"
	mkdir -p "$W/$M"
	run viv-doctor
	[ "$status" -eq 78 ]	# no log: that is more than a repair, until -r has made its directory
	run viv-doctor -r
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$(board)" ]
	run viv-doctor -q
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

# --- directories and files ---

@test "doctor: missing directories are made" {
	rmdir "$W/$M/results" "$W/$M/work"
	heals "missing directory: $M/results"
	[ -d "$W/$M/work" ]
}

@test "doctor: a file where a directory belongs is an error" {
	rmdir "$W/$M/results"
	echo x > "$W/$M/results"
	reports "not a directory: $M/results"
}

@test "doctor: secrets that others can read are closed" {
	chmod 755 "$W/meta/security"
	chmod 644 "$W/meta/security/internal_execution_token.txt"
	heals "readable by others: meta/security"
	[ "$(stat -c %a "$W/meta/security" "$W/meta/security/internal_execution_token.txt" | paste -sd' ' -)" = "700 600" ]
}

@test "doctor: leftover temporary files are removed, younger ones are not looked at" {
	touch "$W/$M/task_locks/.a.lock.tmp.0123456789abcdef"
	run viv-doctor
	[ "$status" -eq 0 ]
	VIV_NOW=$(date -u -d '+2 minutes' +%FT%TZ)
	export VIV_NOW
	heals "leftover temporary file: $M/task_locks/.a.lock.tmp.0123456789abcdef"
	[ ! -e "$W/$M/task_locks/.a.lock.tmp.0123456789abcdef" ]
}

@test "doctor: damaged settings are named and left alone" {
	echo '{"halt": maybe}' > "$W/$M/.swarm/kill_switch.json"
	reports "damaged kill switch"
	echo '{"halt": false}' > "$W/$M/.swarm/kill_switch.json"
	echo '{"wait_seconds": -1}' > "$W/$M/.swarm/runtime_speed.json"
	reports "damaged pace"
	rm "$W/$M/.swarm/runtime_speed.json"
	echo '{"max_tasks": "many"}' > "$W/world/physics/limits.json"
	reports "damaged limits"
	rm "$W/world/physics/limits.json"
	echo '[' > "$W/meta/security/policy.json"
	reports "damaged policy"
}

@test "doctor: halt and pause are notes" {
	echo '{"halt": true, "reason": "fire"}' > "$W/$M/.swarm/kill_switch.json"
	touch "$W/$M/PAUSE"
	run viv-doctor
	[ "$status" -eq 0 ]
	[ "$(echo "$output" | cut -d: -f1 | paste -sd, -)" = "note halted,note paused" ]
	[[ $output == *fire* ]]
	run viv-doctor -q
	[ -z "$output" ]
}

@test "doctor: with -v files that nobody documented are notes" {
	touch "$W/$M/notes.txt" "$W/$A/x"
	run viv-doctor
	[ -z "$output" ]
	run viv-doctor -v
	[ "$status" -eq 0 ]
	[ "$(echo "$output" | wc -l)" -eq 2 ]
	[[ $output == *"note not documented: $M/notes.txt: "* ]]
}

# --- the log ---

@test "doctor: a torn tail of the log is set aside" {
	post a
	printf '{"task_id":"a","sta' >> "$(log_file)"
	heals "torn last line: $A/execution_log.jsonl"
	[ "$(cat "$W/$A/execution_log.torn")" = '{"task_id":"a","sta' ]
	[ "$(tail -1 "$(log_file)" | jq -r .reason)" = repaired ]
	viv-log -V
}

@test "doctor: a tampered line of the log is named by its number, and nothing hides it" {
	ended failed a b
	sed -i '4s/"status":"in_progress"/"status":"approved"/' "$(log_file)"
	[ "$(sed -n 4p "$(log_file)" | jq -r .status)" = approved ]
	reports "broken audit chain: $A/execution_log.jsonl:4"
}

@test "doctor: a removed line of the log is noticed" {
	post a b
	sed -i 2d "$(log_file)"
	reports "broken audit chain: $A/execution_log.jsonl:2"
}

# --- slots ---

@test "doctor: a claim whose process is dead is released, and counts as an attempt" {
	viv-add -q -i a 'think' >/dev/null
	sh -c 'echo $$ > pid; exec sleep 100' &
	wait_until test -s pid
	timeout 20 viv-claim -c 1 -r r -P "$(cat pid)" | viv-log >/dev/null
	run viv-doctor
	[ "$status" -eq 0 ]
	kill "$(cat pid)"
	wait "$!" || true
	heals "claim of a dead process of 'r': $M/task_locks/a.lock"
	[ "$(tail -1 "$(log_file)" | jq -c '[.status, .reason, .final]')" = '["requeue","owner dead",true]' ]
	[ -z "$(ls "$W/$M/task_locks")" ]
	[ "$(timeout 20 viv-claim -c 1 -r s | jq -c '[.id, .claim.attempt]')" = '["a",2]' ]
}

@test "doctor: a dead claim of a task without another attempt fails it" {
	post a
	sh -c 'echo $$ > pid; exec sleep 100' &
	wait_until test -s pid
	timeout 20 viv-claim -c 1 -r r -P "$(cat pid)" | viv-log >/dev/null
	kill "$(cat pid)"
	wait "$!" || true
	heals "claim of a dead process of 'r'"
	[ "$(tail -1 "$(log_file)" | jq -c '[.status, .final]')" = '["failed",true]' ]
}

@test "doctor: a live claim is nobody's business" {
	post a
	timeout 20 viv-claim -c 1 -r r | viv-log >/dev/null
	run viv-doctor -r
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ -e "$W/$M/task_locks/a.lock" ]
}

# As a crash between the slot and the log, or between the log and the removal, leaves it.
ended_by_hand() {
	post a
	timeout 20 viv-claim -c 1 -r r | viv-log | jq -c 'del(.committed) | .status = "approved"' > line
	cp -a "$W/$M/task_locks" locks
	viv-log < line >/dev/null
	jq -c --slurpfile e <(tail -1 "$(log_file)" | jq 'del(.seq, .prev)') \
	    '.kind = "done" | .generation = 2 | .event = $e[0]' locks/a.lock > "$W/$M/task_locks/a.lock.2"
	cp -a locks/a.lock "$W/$M/task_locks/"
}

@test "doctor: an end that a crash kept out of the log is added to it" {
	ended_by_hand
	sed -i '$d' "$(log_file)"
	[ "$(history_of a)" = "queued in_progress" ]
	heals "event missing in the log: $M/task_locks/a.lock.2"
	[ "$(history_of a)" = "queued in_progress approved" ]
	[ -z "$(ls "$W/$M/task_locks")" ]
	viv-log -V
}

@test "doctor: slots that outlived their attempt are removed" {
	ended_by_hand
	heals "slot of an attempt that has ended: $M/task_locks/a.lock.2"
	[ "$(history_of a)" = "queued in_progress approved" ]
	[ -z "$(ls "$W/$M/task_locks")" ]
}

@test "doctor: a stray slot below the log's generation is removed" {
	viv-add -q -i a 'think' >/dev/null
	timeout 20 viv-claim -c 1 -r r | viv-log > line
	cp -a "$W/$M/task_locks/a.lock" stray
	viv-release < line >/dev/null
	timeout 20 viv-claim -c 1 -r r | viv-log | jq -c 'del(.committed) | .status = "approved"' | viv-log >/dev/null
	[ "$(history_of a)" = "queued in_progress requeue in_progress approved" ]
	cp -a stray "$W/$M/task_locks/a.lock"
	heals "slot of an attempt that has ended: $M/task_locks/a.lock"
}

@test "doctor: a done slot without its event cannot be repaired" {
	ended_by_hand
	jq -c 'del(.event)' locks/a.lock | jq -c '.kind = "done" | .generation = 2' > "$W/$M/task_locks/a.lock.2"
	reports "slot without its event: $M/task_locks/a.lock.2"
}

# --- the board ---

@test "doctor: a lost board is rebuilt from the log" {
	post a b
	ended failed c	# a, the oldest
	jq -c '.tasks[]' "$W/$M/queue.json" > tasks
	rm "$W/$M/queue.json"
	heals "no board: $M/queue.json"
	[ "$(board)" = "a b c" ]
	jq -cS 'del(.status)' tasks | diff - <(jq -cS '.tasks[] | del(.status)' "$W/$M/queue.json")
}

@test "doctor: a damaged board is rebuilt and kept beside the new one" {
	post a b
	echo '{"tasks":[{"id":"a","prompt":"torn he' > "$W/$M/queue.json"
	heals "damaged board: "
	[ "$(board)" = "a b" ]
	[ "$(cat "$W/$M/queue.json.damaged-1")" = '{"tasks":[{"id":"a","prompt":"torn he' ]
	: > "$W/$M/queue.json"
	heals "damaged board: "
	[ ! -s "$W/$M/queue.json.damaged-2" ]
	[ "$(board)" = "a b" ]
}

@test "doctor: what can still be read of a damaged board comes back as it was" {
	post a
	printf '%s' '{"tasks":[{"id":"mine",  "prompt":"by hand", "n":12345678901234567890},
	 {"id":"a","prompt":"changed by hand"}, {"id":"torn","pro' > "$W/$M/queue.json"
	heals "damaged board: "
	[ "$(board)" = "mine a" ]
	grep -qF '{"id":"mine",  "prompt":"by hand", "n":12345678901234567890}' "$W/$M/queue.json"
	[ "$(jq -r '.tasks[1].prompt' "$W/$M/queue.json")" = "changed by hand" ]
}

@test "doctor: archived tasks do not come back to a rebuilt board" {
	ended approved a b
	ended failed c
	viv-tidy -q -o 0
	post d
	rm "$W/$M/queue.json"
	heals "no board"
	[ "$(board)" = d ]
	[ "$(jq -c '[.completed, .failed, .completed_count, .failed_count]' "$W/$M/queue.json")" = '[["a","b"],["c"],2,1]' ]
}

@test "doctor: an archived task that was revived is put back on the board" {
	ended failed a
	cp "$W/$M/queue.json" kept
	viv-tidy -q -o 0
	cp "$W/$M/queue.json" without
	cp kept "$W/$M/queue.json"
	viv-add -k a >/dev/null
	cp without "$W/$M/queue.json"
	heals "1 archived tasks are not finished: $M/queue_archive.jsonl"
	[ "$(board)" = a ]
	[ "$(timeout 20 viv-claim -c 1 -r r | jq -r .id)" = a ]
}

@test "doctor: a rebuilt board of 5,000 tasks has them all" {
	seq 5000 | jq -c '{id: "t\(.)", mode: "local", command: "true"}' | viv-add -q >/dev/null
	board | sha256sum > before-ids
	truncate -s 1000 "$W/$M/queue.json"
	viv-doctor -r
	board | sha256sum | diff before-ids -
	viv-doctor
}

# --- results ---

@test "doctor: a result that is missing or was changed is reported" {
	post a
	timeout 20 viv-claim -c 1 -r r | viv-log > line
	echo '{"result":1}' > "$W/$M/results/a.1.json"
	jq -c --arg h "$(sha256sum < "$W/$M/results/a.1.json" | cut -c1-64)" \
	    'del(.committed) | .status = "approved" | .events = [{status: "approved", result_sha256: $h}]' line |
	    viv-log | viv-release >/dev/null
	run viv-doctor
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	echo '{"result":2}' > "$W/$M/results/a.1.json"
	reports "changed result: $M/results/a.1.json"
	rm "$W/$M/results/a.1.json"
	reports "missing result: $M/results/a.1.json"
}

# --- output ---

@test "doctor: -J prints one object a finding" {
	rmdir "$W/$M/results"
	run viv-doctor -J
	[ "$status" -eq 1 ]
	[ "$(echo "$output" | jq -c '[.severity, .what, .where]')" = '["repair","missing directory","world/mutable/results"]' ]
}

@test "doctor: lost output is an error" {
	rmdir "$W/$M/results"
	run sh -c 'viv-doctor > /dev/full'
	[ "$status" -eq 74 ]
}

@test "doctor: beside a running drain it finds nothing" {
	seq 100 | jq -c '{id: "t\(.)", mode: "local", command: "true"}' | viv-add -q >/dev/null
	timeout 60 viv-claim -e -w 3 -r r | viv-log | jq -c --unbuffered 'del(.committed) | .status = "approved"' |
	    viv-log | viv-release >/dev/null &
	drain=$!
	while kill -0 "$drain" 2>/dev/null; do
		must timeout 20 viv-doctor -r
	done
	wait "$drain"
	[ "$(jq -r 'select(.status == "approved") | .task_id' "$(log_file)" | sort -u | wc -l)" -eq 100 ]
	run viv-doctor
	[ -z "$output" ]
}
