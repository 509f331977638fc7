load helper

post() { viv-add -q -m local -i "$@" true >/dev/null; }
claimed() { post "$@" && viv-claim -r me; }
last_event() { tail -n 1 "$(log_file)"; }
events() { wc -l <"$(log_file)"; }

# A claimed and recorded line whose status a shell stage has set.
decided() { claimed "$1" | viv-log | jq -c "del(.committed) | .status = \"$2\"${3:+ | .reason = \"$3\"}"; }

@test "log: events are recorded, removed from the line, and the line is marked" {
	claimed a >"$BATS_TEST_TMPDIR/in"
	viv-log <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out"
	[ "$(history_of a)" = 'queued in_progress' ]
	[ "$(jq -cS '. + {committed:true} | del(.events)' "$BATS_TEST_TMPDIR/in")" = "$(jq -cS . "$BATS_TEST_TMPDIR/out")" ]
	last_event | jq -e '.resident_id == "me" and .worker_id == "me" and .generation == 1 and .attempt == 1'
}

@test "log: a committed line is not recorded again" {
	claimed a | viv-log >"$BATS_TEST_TMPDIR/line"
	n=$(events)
	viv-log <"$BATS_TEST_TMPDIR/line" | cmp "$BATS_TEST_TMPDIR/line"
	[ "$(events)" -eq "$n" ]
}

@test "log: a bare status makes one final event with the reason and ends the claim" {
	decided a approved 'looks fine' | viv-log >"$BATS_TEST_TMPDIR/line"
	[ "$(history_of a)" = 'queued in_progress approved' ]
	last_event | jq -e '.final and .reason == "looks fine" and .generation == 1'
	jq -e '.committed and .status == "approved"' "$BATS_TEST_TMPDIR/line"
	[ -z "$(ls "$W/world/mutable/task_locks")" ]
}

@test "log: a bare requeue puts the task back on the board" {
	decided a requeue | viv-log >/dev/null
	[ "$(viv-claim -r you | jq -r .id)" = a ]
}

@test "log: a status that does not exist becomes failed" {
	decided a splendid | viv-log >"$BATS_TEST_TMPDIR/line"
	[ "$(history_of a)" = 'queued in_progress failed' ]
	last_event | jq -e '.final and (.reason | test("does not exist"))'
	[ "$(jq -r .status "$BATS_TEST_TMPDIR/line")" = failed ]
}

@test "log: a line without a claim is refused with 77 and passed on" {
	n=$(events)
	run bash -c 'echo "{\"id\":\"x\",\"status\":\"approved\",\"mine\":1}" | viv-log 2>"$1"' - "$BATS_TEST_TMPDIR/talk"
	[ "$status" -eq 77 ]
	[ "$(jq -c '[.id,.mine,.committed]' <<<"$output")" = '["x",1,null]' ]
	grep -q "'x' has no claim" "$BATS_TEST_TMPDIR/talk"
	[ "$(events)" -eq "$n" ]
}

@test "log: a forged or lost claim records nothing and the line becomes lost" {
	decided a approved >"$BATS_TEST_TMPDIR/line"
	n=$(events)
	for forge in '.claim.token = "0123456789abcdef0123456789abcdef"' '.claim.generation = 2' '.id = "b"'; do
		run bash -c 'jq -c "$1" "$2" | viv-log 2>/dev/null' - "$forge" "$BATS_TEST_TMPDIR/line"
		[ "$status" -eq 77 ]
		must test "$(jq -r .status <<<"$output")" = lost
	done
	[ "$(events)" -eq "$n" ]
	viv-release -r me a >/dev/null
	viv-claim -r you | viv-log >/dev/null
	run bash -c 'viv-log <"$1" 2>/dev/null' - "$BATS_TEST_TMPDIR/line"
	[ "$status" -eq 77 ]
	[ "$(jq -r .status <<<"$output")" = lost ]
	[ "$(history_of a)" = 'queued in_progress requeue in_progress' ]
}

@test "log: the same end told twice is recorded once" {
	decided a approved >"$BATS_TEST_TMPDIR/line"
	viv-log <"$BATS_TEST_TMPDIR/line" >/dev/null
	viv-log <"$BATS_TEST_TMPDIR/line" >/dev/null 2>&1 || true
	[ "$(history_of a)" = 'queued in_progress approved' ]
}

@test "log: a lost line passes without being recorded" {
	n=$(events)
	[ "$(viv-log <<<'{"id":"x","status":"lost"}')" = '{"id":"x","status":"lost"}' ]
	[ "$(events)" -eq "$n" ]
}

@test "log: damaged lines are named by number, the rest goes on, and the end is 1" {
	claimed a >"$BATS_TEST_TMPDIR/good"
	{
		echo 'not json'
		echo '{"id":"dup","id":"dup"}'
		printf '{"id":"big","x":"%s"}\n' "$(head -c 4300000 /dev/zero | tr '\0' x)"
		cat "$BATS_TEST_TMPDIR/good"
		echo
		printf '{"id":"torn'
	} >"$BATS_TEST_TMPDIR/in"
	run bash -c 'viv-log <"$1" 2>"$2"' - "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/talk"
	[ "$status" -eq 1 ]
	[ "$(jq -r .id <<<"$output")" = a ]
	for n in 1 2 3 6; do must grep -q "line $n: " "$BATS_TEST_TMPDIR/talk"; done
	[ "$(wc -l <"$BATS_TEST_TMPDIR/talk")" -eq 4 ]
	[ "$(history_of a)" = 'queued in_progress' ]
}

@test "log: each line comes out before the next one goes in" {
	mkfifo "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
	viv-log <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" &
	exec 7>"$BATS_TEST_TMPDIR/in" 8<"$BATS_TEST_TMPDIR/out"
	for id in a b; do
		claimed "$id" >&7
		read -r -t 10 line <&8
		[ "$(jq -r .id <<<"$line")" = "$id" ]
	done
	exec 7>&-
	wait $!
}

@test "log: queries select by task, status, resident, tag and the last" {
	post a -T x && post b -T y && post c -T x
	viv-claim -r me -c 2 | viv-log >/dev/null
	viv-claim -r you | viv-log >/dev/null
	count() { viv-log "$@" | wc -l; }
	[ "$(count -q)" -eq 7 ]
	viv-log -q | cmp "$(log_file)"
	[ "$(count -t a)" -eq 2 ]
	[ "$(count -t a -t c -s queued)" -eq 2 ]
	[ "$(count -s in_progress)" -eq 3 ]
	[ "$(count -r you)" -eq 1 ]
	[ "$(viv-log -T x | jq -r .task_id | sort | uniq -c | tr -s ' ' | paste -sd,)" = ' 2 a, 2 c' ]
	[ "$(viv-log -l 2 | jq -r .task_id | paste -sd' ' -)" = 'b c' ]
	[ "$(viv-log -t a -l 1 | jq -r .status)" = in_progress ]
	run viv-log -t nobody
	[ "$status" -eq 1 ]
	[ -z "$output" ]
}

@test "log: queries select by time, given as a date or an age" {
	VIV_NOW=2030-01-01T00:00:00Z post a
	VIV_NOW=2030-01-02T00:00:00Z post b
	VIV_NOW=2030-01-03T00:00:00Z post c
	sel() { VIV_NOW=2030-01-04T00:00:00Z viv-log "$@" | jq -r .task_id | paste -sd' ' -; }
	[ "$(sel -S 2030-01-02T00:00:00Z)" = 'b c' ]
	[ "$(sel -S 2030-01-01T00:00:00Z -U 2030-01-02T00:00:00Z)" = a ]
	[ "$(sel -S 36h)" = c ]
	[ "$(sel -S 2030-01-01 -U 36h)" = 'a b' ]
}

@test "log: -f prints what comes, through a rotation, until the reader has gone" {
	post a
	viv-log -f -s queued >"$BATS_TEST_TMPDIR/out" &
	pid=$!
	seen() { [ "$(jq -r .task_id "$BATS_TEST_TMPDIR/out" | paste -sd' ' -)" = "$1" ]; }
	wait_until seen '_world a'
	post b
	wait_until seen '_world a b'
	viv-log -R
	post c
	wait_until seen '_world a b c'
	kill "$pid"
	viv-log -f | head -n 1 >/dev/null
}

@test "log: -V holds for what was written, over rotations, and names the first bad line" {
	post a && viv-log -R && post b && post c
	[ "$(viv-log -V)" = 'ok: 4 lines in 2 segments, 0 of them from before the chain' ]
	sh "$REPO/share/verify-log.sh" "$W/meta/audit"/execution_log.[0-9]*.jsonl "$(log_file)" >/dev/null
	cp "$(log_file)" "$BATS_TEST_TMPDIR/log"
	sed 's/"b"/"x"/' "$BATS_TEST_TMPDIR/log" >"$(log_file)"
	run viv-log -V
	[ "$status" -eq 1 ]
	[[ "$output" == *'execution_log.jsonl line 1'* ]]
	sed 1d "$BATS_TEST_TMPDIR/log" >"$(log_file)"
	run viv-log -V
	[ "$status" -eq 1 ]
	[[ "$output" == *'execution_log.jsonl line 1'* ]]
}

@test "log: -R renames, and only when size or age ask for it" {
	VIV_NOW=2030-01-01T00:00:00Z post a
	for no in '-Z 1M' '-Z 1M -A 36500d'; do
		run viv-log -R $no
		must test "$no $status" = "$no 1"
	done
	[ "$(ls "$W/meta/audit" | grep -c '^execution_log\..*jsonl$')" -eq 1 ]
	run viv-log -R -n -Z 1
	[ "$status" -eq 0 ]
	[ "$(ls "$W/meta/audit" | grep -c '^execution_log\..*jsonl$')" -eq 1 ]
	at() { VIV_NOW=$1 viv-log -R -A 2d -Z 1M; }
	at 2999-01-01
	VIV_NOW=2999-01-01 post b
	run at 2999-01-02
	[ "$status" -eq 1 ]
	viv-log -R -Z 100
	post c
	[ "$(ls "$W/meta/audit" | grep -c '^execution_log\..*jsonl$')" -eq 3 ]
	viv-log -V
	[ "$(viv-log -s queued | jq -r .task_id | paste -sd' ' -)" = '_world a b c' ]
}

@test "log: a torn last line is set aside, never joined" {
	claimed a >"$BATS_TEST_TMPDIR/line"
	printf '{"task_id":"torn","sta' >>"$(log_file)"
	run viv-log -V
	[ "$status" -eq 0 ]
	[[ "$output" == *torn* ]]
	viv-log <"$BATS_TEST_TMPDIR/line" >/dev/null
	[ "$(history_of a)" = 'queued in_progress' ]
	grep -q '"task_id":"torn","sta' "$W/meta/audit/execution_log.torn"
	[ "$(viv-log -V 2>&1)" = 'ok: 3 lines in 1 segments, 0 of them from before the chain' ]
}

@test "log: on a full disk nothing is passed on and the end is 74" {
	d=$BATS_TEST_TMPDIR/small
	mkdir "$d"
	mount -t tmpfs -o size=256k tmpfs "$d" 2>/dev/null || skip "a tmpfs cannot be mounted here"
	viv-init -q "$d/w"
	export VIV_ROOT=$d/w W=$d/w
	post a
	viv-claim -r me >"$BATS_TEST_TMPDIR/line"
	head -c 1M /dev/zero >"$d/fill" 2>/dev/null || true
	cp "$(log_file)" "$BATS_TEST_TMPDIR/before"
	printf 'x%.0s' {1..9000} | jq -R '{x:.}' >"$BATS_TEST_TMPDIR/x"
	jq -c --slurpfile x "$BATS_TEST_TMPDIR/x" '.events[0] += $x[0]' "$BATS_TEST_TMPDIR/line" >"$BATS_TEST_TMPDIR/in"
	run bash -c 'viv-log <"$1"' - "$BATS_TEST_TMPDIR/in"
	code=$status said=$output same=0
	cmp "$BATS_TEST_TMPDIR/before" "$(log_file)" || same=1
	rm "$d/fill"
	viv-log <"$BATS_TEST_TMPDIR/in" >/dev/null
	ended=$(history_of a)
	umount "$d"
	[ "$code" -eq 74 ]
	[[ "$said" == *'No space left'* && "$said" != *'"id"'* ]]
	[ "$same" -eq 0 ]
	[ "$ended" = 'queued in_progress' ]
}

@test "log: a full output is 74" {
	claimed a >"$BATS_TEST_TMPDIR/line"
	run bash -c 'viv-log <"$1" >/dev/full' - "$BATS_TEST_TMPDIR/line"
	[ "$status" -eq 74 ]
	run bash -c 'viv-log -q >/dev/full'
	[ "$status" -eq 74 ]
}

@test "log: four at once keep the chain" {
	seq 40 | jq -c '{id: "n\(.)", command: "true"}' | viv-add -q >/dev/null
	for i in 1 2 3 4; do
		viv-claim -c 10 -r "r$i" | viv-log | jq -c --unbuffered 'del(.committed) | .status = "approved"' | viv-log >/dev/null &
	done
	wait
	[ "$(viv-log -s approved | wc -l)" -eq 40 ]
	viv-log -V
}

@test "log: wrong usage is 2, no world 78" {
	for bad in '-s nonsense' '-l x' '-Z x -R' '-A x -R' '-S yesterday-ish' 'id' '-n' '-z'; do
		run viv-log $bad </dev/null
		must test "$bad $status" = "$bad 2"
	done
	VIV_ROOT=/nowhere run viv-log -V
	[ "$status" -eq 78 ]
}
