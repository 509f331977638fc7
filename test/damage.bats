load helper
load damage

# A stage that gets damaged lines reports each with its number, goes on, and exits 1.
stage_survives() {
	local out=$BATS_TEST_TMPDIR/out err=$BATS_TEST_TMPDIR/err rc=0
	damaged_lines >"$BATS_TEST_TMPDIR/in"
	"$@" <"$BATS_TEST_TMPDIR/in" >"$out" 2>"$err" || rc=$?
	[ "$rc" -eq 1 ]
	# Every good line came through, in order, and nothing else.
	jq -r .id "$out" >"$BATS_TEST_TMPDIR/ids"
	diff <(seq -f 't%g' 0 $((ROUNDS - 1))) "$BATS_TEST_TMPDIR/ids"
	# Every odd line was named, with where in it.
	sed -n "s/^$1: line \([0-9]*\): .*/\1/p" "$err" >"$BATS_TEST_TMPDIR/named"
	diff <(seq 1 2 $((2 * ROUNDS - 1))) "$BATS_TEST_TMPDIR/named"
	grep "^$1: line " "$err" >"$BATS_TEST_TMPDIR/talk"
	[ -z "$(tr -d '\n' <"$BATS_TEST_TMPDIR/talk" | tr -d '[:print:]')" ]
}

@test "damage: the generator makes the same bytes from the same seed, and never good ones" {
	good_line 0 >"$BATS_TEST_TMPDIR/good"
	ways=$("$BUILD/test/damage" -c)
	[ "$ways" -ge 60 ]
	for ((i = 0; i < ways; i++)); do
		"$BUILD/test/damage" "$i" <"$BATS_TEST_TMPDIR/good" >"$BATS_TEST_TMPDIR/a"
		"$BUILD/test/damage" "$i" <"$BATS_TEST_TMPDIR/good" >"$BATS_TEST_TMPDIR/b"
		cmp "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
		must test "$(cat -v "$BATS_TEST_TMPDIR/a")" != "$(cat "$BATS_TEST_TMPDIR/good")"
	done
}

@test "damage: viv-guard names 200 damaged lines and passes on the good ones" {
	stage_survives viv-guard
}

@test "damage: a line over 4 MiB costs that line only" {
	{
		printf '{"id":"long","prompt":"'
		head -c 4194304 /dev/zero | tr '\0' a
		printf '"}\n'
		good_line 1
	} >"$BATS_TEST_TMPDIR/in"
	run bash -c 'viv-guard <"$1" 2>"$2" | jq -r .id; exit "${PIPESTATUS[0]}"' - \
	    "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/err"
	[ "$status" -eq 1 ]
	[ "$output" = t1 ]
	grep -qx 'viv-guard: line 1: longer than 4 MiB' "$BATS_TEST_TMPDIR/err"
}

# The board, damaged in ROUNDS ways, put before a command: it ends with 78 and one line
# that names file, line and column, and leaves every byte as it was. A reader tries a
# damaged board again for a moment, so many wait side by side, each in its own world.
board_refuses() {
	local k pids=()
	jq -c '.tasks = [{"id":"t1","command":"true","mode":"local","priority":3,"tags":["a","b"]},{"id":"t2","prompt":"x"}]' \
	    "$W/world/mutable/queue.json" >"$BATS_TEST_TMPDIR/good"
	for ((k = 0; k < 20; k++)); do
		cp -a "$W" "$BATS_TEST_TMPDIR/w$k"
		board_refuses_some "$k" "$@" &
		pids+=($!)
	done
	for k in "${pids[@]}"; do
		wait "$k" || return 1
	done
}

board_refuses_some() {
	local k=$1 d=$BATS_TEST_TMPDIR/w$1 i rc
	local q=$d/world/mutable/queue.json
	shift
	for ((i = k; i < ROUNDS; i += 20)); do
		"$BUILD/test/damage" "$i" <"$BATS_TEST_TMPDIR/good" >"$q"
		cp "$q" "$d/before"
		rc=0
		VIV_ROOT=$d "$@" >"$d/out" 2>"$d/err" </dev/null || rc=$?
		if [ "$rc" -ne 78 ] || ! cmp -s "$q" "$d/before" || [ -s "$d/out" ] ||
		    ! one_clear_line "$d/err" "queue\\.json'.*line [0-9]+, column [0-9]+: "; then
			echo "$("$BUILD/test/damage" -n "$i" </dev/null) (seed $i): $* ended with $rc"
			return 1
		fi
	done
}

@test "damage: viv-add refuses 200 damaged boards and leaves them as they are" {
	board_refuses viv-add -i new -m local true
}

@test "damage: viv-add posts the good ones of 200 damaged lines with --keep-going" {
	damaged_lines >"$BATS_TEST_TMPDIR/in"
	run bash -c 'viv-add --keep-going - <"$1" 2>"$2"' - "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/err"
	[ "$status" -eq 1 ]
	diff <(seq -f 't%g' 0 $((ROUNDS - 1))) - <<<"$output"
	[ "$(jq '.tasks | length' "$W/world/mutable/queue.json")" -eq "$ROUNDS" ]
}

@test "damage: viv-add posts nothing of a stream with a damaged line" {
	for i in $(seq 0 61); do
		{ good_line 1; good_line 1 | "$BUILD/test/damage" -l "$i"; echo; } >"$BATS_TEST_TMPDIR/in"
		rc=0
		viv-add - <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || rc=$?
		must test "$i: $rc" = "$i: 1"
		[ ! -s "$BATS_TEST_TMPDIR/out" ]
		grep -q '^viv-add: line 2: ' "$BATS_TEST_TMPDIR/err"
		[ "$(jq '.tasks | length' "$W/world/mutable/queue.json")" -eq 0 ]
	done
}

# The other stages pass on what is ended and recorded, so that only the damage matters.
for_ended() {
	EXTRA=',"status":"approved","committed":true'
	stage_survives "$@"
}

@test "damage: viv-log names 200 damaged lines and passes on the good ones" { for_ended viv-log; }
@test "damage: viv-cycle names 200 damaged lines and passes on the good ones" { for_ended viv-cycle; }
@test "damage: viv-review names 200 damaged lines and passes on the good ones" { for_ended viv-review; }
@test "damage: viv-release names 200 damaged lines and passes on the good ones" { for_ended viv-release; }

@test "damage: viv-claim refuses 200 damaged boards and leaves them as they are" {
	board_refuses viv-claim -c 1 -r ada
}

# A line of the log, damaged in ROUNDS ways: the check names it, claiming goes on around it,
# and nobody changes what is there.
@test "damage: 200 damaged lines of the log are named by viv-log -V and stay as they are" {
	log=$(log_file)
	viv-add -q -i t1 -m local true >/dev/null
	viv-add -q -i t2 -m local true >/dev/null
	cp "$log" "$BATS_TEST_TMPDIR/good"
	# In the middle: the line of t1, without the escapes and blanks that the generator avoids.
	sed -n 2p "$log" >"$BATS_TEST_TMPDIR/line"
	for ((i = 0; i < ROUNDS; i++)); do
		{ sed -n 1p "$BATS_TEST_TMPDIR/good"
		  "$BUILD/test/damage" -l "$i" <"$BATS_TEST_TMPDIR/line"
		  echo
		  sed -n 3p "$BATS_TEST_TMPDIR/good"; } >"$log"
		cp "$log" "$BATS_TEST_TMPDIR/before"
		rc=0
		viv-log -V >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || rc=$?
		must test "$i: $rc" = "$i: 1"
		must grep -q 'execution_log\.jsonl line [23]: ' "$BATS_TEST_TMPDIR/out"
		rc=0
		viv-claim -n -c 1 -r ada >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || rc=$?
		must test "$rc" -le 1
		cmp "$log" "$BATS_TEST_TMPDIR/before"
	done
}
