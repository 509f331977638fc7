load helper

setup() {
	mkdir "$BATS_TEST_TMPDIR/own"
	cat >"$BATS_TEST_TMPDIR/own/viv-fake" <<-'END'
		#!/bin/sh
		echo 'usage: viv-fake [-abh] [--version] [-C DIR] [-k ID] [--colour=WHEN] FILE ...'
	END
	chmod +x "$BATS_TEST_TMPDIR/own/viv-fake"
	PATH=$BATS_TEST_TMPDIR/own:$PATH
	# shellcheck source=contrib/completion/viv.bash
	. "$REPO/contrib/completion/viv.bash"
}

# Complete the last word; print the replies in one line.
complete_words() {
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_viv
	printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd' ' -
}

@test "completion: the flags are those of the usage line" {
	run complete_words viv-fake -
	[ "$output" = "--colour --version -C -a -b -h -k" ]
	run complete_words viv-fake --v
	[ "$output" = "--version" ]
}

@test "completion: viv VERB completes like viv-VERB" {
	run complete_words viv fake --v
	[ "$output" = "--version" ]
}

@test "completion: viv completes its verbs" {
	run complete_words viv fa
	[ "$output" = fake ]
	run complete_words viv he
	[ "$output" = help ]
}

@test "completion: after -C come directories only" {
	mkdir -p "$BATS_TEST_TMPDIR/t/dir"
	touch "$BATS_TEST_TMPDIR/t/file"
	cd "$BATS_TEST_TMPDIR/t"
	run complete_words viv-fake -C ''
	[ "$output" = dir ]
}

@test "completion: other words are file names, and viv-fake is bound" {
	mkdir -p "$BATS_TEST_TMPDIR/t"
	touch "$BATS_TEST_TMPDIR/t/file"
	cd "$BATS_TEST_TMPDIR/t"
	run complete_words viv-fake f
	[ "$output" = file ]
	complete -p viv-fake | grep -q '_viv'
}
