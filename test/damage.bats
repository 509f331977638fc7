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
