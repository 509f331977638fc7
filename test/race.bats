bats_require_minimum_version 1.5.0
load helper
load storm

teardown() {
	touch "$BATS_TEST_TMPDIR/calm"
	for p in $(stage_pids); do kill -KILL "$p" 2>/dev/null; done
	wait 2>/dev/null || :
}

# Claim one task as a process that has died since, its line in the file $1; more options.
claim_by_the_dead() {
	sh -c 'echo $$' >pid
	viv-claim -c 1 -r dead -P "$(cat pid)" "${@:2}" | viv-log >"$1"
}

@test "race: 16 residents run 2,000 tasks exactly once each" {
	local n=2000 i pids=()
	[ -z "${VIV_ASAN-}" ] || n=200
	for ((i = 1; i <= n; i++)); do printf '{"id":"t%d","command":"true"}\n' "$i"; done | viv-add -q >/dev/null
	for i in $(seq 16); do
		viv-resident -e -r "r$i" 3>&- & pids+=($!)
	done
	wait "${pids[@]}"
	viv-resident -e -r last
	each_done_once $n
	[ "$(jq -r 'select(.status == "in_progress") | .resident_id' "$(log_file)" | sort -u | wc -l)" -gt 4 ]
}

@test "race: a storm of kills and stops: nothing overlaps, nothing is lost, each ends once" {
	local n=600
	[ -z "${VIV_ASAN-}" ] || n=60
	allow_sleep
	sleep_tasks $n 0.05 ',"max_attempts":1000'
	"$BUILD/test/overlap" 100 "$BATS_TEST_TMPDIR/calm" 0.000000 >oracle 3>&- & oracle=$!
	restless r1 r2 r3 r4
	"$BUILD/test/storm" "$W" 15 >storm
	for _ in $(seq 30); do
		[ "$(viv-log -s approved | wc -l)" -lt $n ] || break
		viv-resident -e -r last -l 1 || :
		sleep 1
	done
	touch "$BATS_TEST_TMPDIR/calm"
	wait $oracle || { cat oracle; false; }
	cat oracle
	for _ in 1 2 3 4 5 6; do viv-resident -e -r last; done
	cat storm
	[[ $(cat storm) =~ kills\ ([0-9]+),\ stops\ ([0-9]+) ]]
	[ "${BASH_REMATCH[1]}" -gt 20 ]
	[ "${BASH_REMATCH[2]}" -gt 3 ]
	[[ $(cat oracle) =~ seen\ ([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -gt $n ]
	wait_until each_done_once $n
}

@test "race: the oracle sees an overlap when there is one" {
	sleep 2 0.0000077777 3>&- & one=$!
	sleep 2 0.0000077777 3>&- & two=$!
	run "$BUILD/test/overlap" 1 none 0.0000077777
	kill $one $two
	[ "$status" -eq 1 ]
	[[ $output = *'overlap: 0.0000077777'* ]]
}

@test "race: eight claimers take over one dead claim, one wins, fifty times" {
	local round i
	for round in $(seq 50); do printf '{"id":"t%d","command":"true","max_attempts":9,"tags":["n%d"]}\n' "$round" "$round"; done |
	    viv-add -q >/dev/null
	for round in $(seq 50); do
		claim_by_the_dead line -T "n$round"
		for i in 1 2 3 4 5 6 7 8; do
			viv-claim -c 1 -r "c$i" -T "n$round" >"won.$i" 2>/dev/null 3>&- &
		done
		wait
		id=$(jq -r .id line)
		[ "$(cat won.* | jq -r --arg id "$id" 'select(.id == $id) | .claim.generation')" = 2 ]
		viv-log <<<"$(cat won.* | jq -c --arg id "$id" 'select(.id == $id) | .status = "approved" | del(.events)')" >/dev/null
	done
	[ "$(viv-log -s approved | jq -r .task_id | sort -u | wc -l)" -eq 50 ]
}

@test "race: a killed claimer's task is free at once on its host" {
	viv-add -q -m local -i a --max-attempts 5 true >/dev/null
	viv-claim -f -r ada >line 3>&- & claimer=$!
	wait_until test -s line
	kill -KILL $claimer
	wait $claimer || :
	run viv-claim -c 1 -r bob
	[ "$(jq -r '.claim.generation, .events[-1].took_over' <<<"$output" | paste -sd' ')" = '2 dead' ]
}

@test "race: another host waits for lease and margin, and a renewal starts the wait again" {
	viv-add -q -m local -i a --max-attempts 5 true >/dev/null
	VIV_HOST=elsewhere viv-claim -f -r ada -l 2 >line 3>&- & claimer=$!
	wait_until test -s line
	for _ in 1 2 3 4 5 6 7; do
		run viv-claim -c 1 -r bob
		[ "$status" -eq 1 ]
		sleep 0.6
	done
	kill -KILL $claimer
	run viv-claim -c 1 -r bob
	[ "$status" -eq 1 ]
	taken() { viv-claim -c 1 -r bob >taken; }
	wait_until taken
	[ "$(jq -r '.claim.generation, .events[-1].took_over, .claim.attempt' taken | paste -sd' ')" = '2 expired 1' ]
}

@test "race: a stopped pipeline loses its claim, and its late result is refused" {
	viv-add -q -m local -i a --max-attempts 5 true >/dev/null
	viv-claim -f -r slow -l 1 3>&- >line & claimer=$!
	wait_until test -s line
	viv-log <line >logged
	kill -STOP $claimer
	taken() { viv-claim -c 1 -r fast | viv-log >taken && [ -s taken ]; }
	wait_until taken
	viv-cycle <taken | viv-log | viv-review | viv-log >/dev/null
	kill -CONT $claimer
	kill -TERM $claimer
	before=$(sha256sum <"$(log_file)")
	run --separate-stderr viv-log <<<"$(jq -c '.status = "approved" | del(.committed)' logged)"
	[ "$status" -eq 77 ]
	[ "$(jq -r .status <<<"$output")" = lost ]
	[[ $stderr = *"the claim on 'a' is lost"* ]]
	[ "$(sha256sum <"$(log_file)")" = "$before" ]
	[ "$(viv-log -s approved | jq -r .generation)" = 2 ]
}

@test "race: a finished slot whose event missed the log is completed once, by eight at once" {
	local i
	viv-add -q -m local -i a true >/dev/null
	viv-claim -c 1 -r ada | viv-log | viv-cycle | viv-log | viv-review >line
	event=$(jq -c '.events[-1] + {task_id:.id, resident_id:.claim.resident_id, worker_id:.claim.resident_id,
	    generation:.claim.generation, timestamp:"2026-11-22T00:00:00+00:00"}' line)
	jq -c --argjson event "$event" '.generation = 2 | .kind = "done" | .event = $event | del(.pid)' \
	    "$W/world/mutable/task_locks/a.lock" >"$W/world/mutable/task_locks/a.lock.2"
	for i in 1 2 3 4 5 6 7 8; do viv-claim -c 1 -r "c$i" 3>&- & done
	wait || :
	[ "$(viv-log -t a -s approved | wc -l)" -eq 1 ]
	[ -z "$(ls "$W/world/mutable/task_locks")" ]
	run viv-log <line
	[ "$status" -eq 0 ]
	[ "$(viv-log -t a -s approved | wc -l)" -eq 1 ]
	viv-log -V
}

@test "race: the wall clock a day back or forward moves no lease" {
	viv-add -q -m local -i a --max-attempts 5 true >/dev/null
	VIV_NOW=2026-11-23T12:00:00Z VIV_HOST=elsewhere viv-claim -c 1 -r ada >line
	for now in 2026-11-21T12:00:00Z 2026-11-24T12:00:00Z 2027-11-24T12:00:00Z; do
		VIV_NOW=$now run viv-claim -c 1 -r bob
		[ "$status" -eq 1 ]
	done
	VIV_NOW=2020-01-01 viv-log <line >/dev/null
	[ "$(jq -r 'select(.task_id == "a") | .status' "$(log_file)" | tail -n 1)" = in_progress ]
}

@test "race: a recycled pid is not the owner" {
	viv-add -q -m local -i a --max-attempts 5 true >/dev/null
	sleep 100 3>&- & alive=$!
	viv-claim -c 1 -r ada -P $alive >line
	run viv-claim -c 1 -r bob
	[ "$status" -eq 1 ]
	slot=$W/world/mutable/task_locks/a.lock
	jq -c '.pid_start += 1' "$slot" >other
	touch -r "$slot" other
	mv other "$slot"
	run viv-claim -c 1 -r bob
	kill $alive
	[ "$status" -eq 0 ]
	[ "$(jq -r '.events[-1].took_over' <<<"$output")" = dead ]
}

@test "race: numbers in a slot that nobody can mean neither free a task nor keep it for ever" {
	viv-add -q -m local -i a --max-attempts 5 true >/dev/null
	VIV_HOST=elsewhere viv-claim -c 1 -r ada -l 300 >line
	slot=$W/world/mutable/task_locks/a.lock
	for member in '"lease_s":-1e300' '"lease_s":1e300,"timeout_s":1e300,"pid":1e300'; do
		jq -c ". + {$member}" "$slot" >other
		touch -r "$slot" other
		mv other "$slot"
		run viv-claim -c 1 -r bob
		[ "$status" -eq 1 ]
		viv-status -J | jq -e 'any(.. | objects; .id? == "a")'
	done
	jq -c '.lease_s = -1e300' "$slot" >other
	touch -r "$slot" other
	mv other "$slot"
	taken() { viv-claim -c 1 -r bob >taken; }
	wait_until taken
}

@test "race: tasks that must run alone never run beside each other" {
	local i pids=()
	allow_sleep
	for i in $(seq 12); do
		printf '{"id":"s%d","command":"sleep 0.05 0.0000011111","parallel_safe":false,"max_attempts":9}\n' "$i"
	done | viv-add -q >/dev/null
	"$BUILD/test/overlap" 100 "$BATS_TEST_TMPDIR/calm" 0.0000011111 >oracle 3>&- & oracle=$!
	for i in 1 2 3 4; do viv-resident -e -r "r$i" -j 2 3>&- & pids+=($!); done
	sleep 0.3
	for p in $(stage_pids | shuf -n 2); do kill -KILL "$p" || :; done
	wait "${pids[@]}" || :
	for _ in $(seq 20); do
		[ "$(viv-log -s approved | wc -l)" -lt 12 ] || break
		viv-resident -e -r last || :
		sleep 0.5
	done
	touch "$BATS_TEST_TMPDIR/calm"
	wait $oracle || { cat oracle; false; }
	each_done_once 12
}

@test "race: a crash counts as an attempt, and the last one ends the task" {
	allow_sleep
	viv-add -q -m local -i a -t 30 'sleep 20 0.0000022222' >/dev/null
	viv-resident -e -r ada 3>&- & resident=$!
	wait_until pgrep -f '^sleep 20 0.0000022222' >/dev/null
	for p in $(stage_pids); do kill -KILL "$p" 2>/dev/null || :; done
	wait $resident || :
	wait_until eval '! pgrep -f "^sleep 20 0.0000022222"'
	ended() { viv-resident -e -r bob && [[ $(history_of a) = *failed ]]; }
	wait_until ended
	[ "$(viv-log -t a -s failed | jq -r .reason)" = 'no attempt left' ]
}

@test "race: the kill switch ends what runs and gives it back" {
	allow_sleep
	viv-add -q -m local -i a -t 60 'sleep 50 0.0000033333' >/dev/null
	viv-resident -r ada 3>&- & resident=$!
	wait_until pgrep -f '^sleep 50 0.0000033333' >/dev/null
	viv-halt -q on -m test
	wait_until eval '! pgrep -f "^sleep 50 0.0000033333" >/dev/null'
	wait_until eval '[[ $(history_of a) = *requeue ]]'
	[ "$(viv-log -t a -s requeue | jq -c '[.reason, .counted]')" = '["halted",false]' ]
	run viv-claim -c 1
	[ "$status" -eq 77 ]
	kill -TERM $resident
	wait $resident || :
	[ -z "$(ls "$W/world/mutable/task_locks")" ]
}
