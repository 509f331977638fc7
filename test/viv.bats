load helper

# A directory with a command of our own, so that nothing depends on what else is built.
setup() {
	mkdir "$BATS_TEST_TMPDIR/own"
	cat >"$BATS_TEST_TMPDIR/own/viv-echo" <<-'END'
		#!/bin/sh
		printf '%s|' "$0" "$VIV_ROOT" "$@"
		exit 7
	END
	chmod +x "$BATS_TEST_TMPDIR/own/viv-echo"
	PATH=$BATS_TEST_TMPDIR/own:$PATH
	unset VIV_ROOT
}

@test "viv: a verb runs the program of that name with its arguments and status" {
	run viv echo one 'two three'
	[ "$status" -eq 7 ]
	[ "$output" = "$BATS_TEST_TMPDIR/own/viv-echo||one|two three|" ]
}

@test "viv: the program beside viv comes before the one in PATH" {
	mkdir "$BATS_TEST_TMPDIR/beside"
	cp "$BIN/viv" "$BATS_TEST_TMPDIR/beside/"
	printf '#!/bin/sh\necho beside\n' >"$BATS_TEST_TMPDIR/beside/viv-echo"
	chmod +x "$BATS_TEST_TMPDIR/beside/viv-echo"
	run "$BATS_TEST_TMPDIR/beside/viv" echo
	[ "$output" = beside ]
}

@test "viv: -C names the world for the command" {
	run viv -C /some/where echo
	[ "$status" -eq 7 ]
	[ "$output" = "$BATS_TEST_TMPDIR/own/viv-echo|/some/where|" ]
}

@test "viv: an unknown verb is refused with 127 and one line" {
	bats_require_minimum_version 1.5.0
	run -127 viv nosuch
	[ "$output" = "viv: no command 'nosuch': see 'viv help'" ]
	run -127 viv ../bin/viv-echo
}

@test "viv: without a verb it lists the verbs on stderr and exits 2" {
	run bash -c 'viv 2>/dev/null'
	[ "$status" -eq 2 ]
	[ -z "$output" ]
	run bash -c 'viv 2>&1 >/dev/null'
	[[ $output = *'  echo'* ]]
}

@test "viv: help lists each verb once, with the line of its page" {
	run viv help
	[ "$status" -eq 0 ]
	[ "$(grep -c '^  echo' <<<"$output")" -eq 1 ]
	for c in "$BIN"/viv-*; do
		[ -x "$c" ] || continue
		name=${c##*/viv-}
		nd=$(sed -n 's/^\.Nd //p' "$REPO/man/man1/viv-$name.1")
		[ -n "$nd" ]
		grep -qxF "$(printf '  %-10s %s' "$name" "$nd")" <<<"$output"
	done
}

@test "viv: help VERB shows the page, and names a page that is not there" {
	run viv help viv
	[ "$status" -eq 0 ]
	[[ $output = *'run a command of the toolkit by its verb'* ]]
	run viv help nosuch
	[ "$status" -eq 1 ]
	[ "$output" = "viv: no page about 'nosuch'" ]
}

@test "viv: -h prints the usage on stdout, an unknown option on stderr with 2" {
	run viv -h
	[ "$status" -eq 0 ]
	[[ $output = 'usage: viv '* ]]
	run bash -c 'viv -x 2>/dev/null'
	[ "$status" -eq 2 ]
	[ -z "$output" ]
}
