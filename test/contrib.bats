# The examples of contrib do what they say.

load helper

teardown() {
	[ ! -e "$BATS_TEST_TMPDIR/tmux" ] || TMUX_TMPDIR=$BATS_TEST_TMPDIR/tmux tmux kill-server 2>/dev/null || true
}

# The commands of the crontab, as cron would give them to sh.
cron_line() { sed -n 's/^[*0-9/]* [*0-9/]* \* \* \* //p' "$REPO/contrib/cron/vivarium" | sed -n "$1p"; }

@test "contrib: the crontab's first line works off what is due, the second keeps the house" {
	[ "$(cron_line '1,$' | wc -l)" -eq 2 ]
	mv "$W" "$BATS_TEST_TMPDIR/colony"
	unset VIV_ROOT
	viv-add -q -C "$BATS_TEST_TMPDIR/colony" -m local -i a true >/dev/null
	run env HOME="$BATS_TEST_TMPDIR" sh -c "$(cron_line 1)" </dev/null
	[ "$status" -eq 0 ]
	[ -z "$output" ]	# else cron sends mail
	[ "$(viv-status -C "$BATS_TEST_TMPDIR/colony" -J | jq .completed)" -eq 1 ]
	run env HOME="$BATS_TEST_TMPDIR" VIV_NOW="$(date -u -d '+8 days' +%FT%TZ)" sh -c "$(cron_line 2)" </dev/null
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[ "$(jq '.tasks | length' "$BATS_TEST_TMPDIR/colony/world/mutable/queue.json")" -eq 0 ]
}

@test "contrib: the tmux session shows the board beside residents that work" {
	export TMUX_TMPDIR=$BATS_TEST_TMPDIR/tmux
	mkdir "$TMUX_TMPDIR"
	unset TMUX
	viv-add -q -m local -i a true >/dev/null
	run "$REPO/contrib/tmux/vivarium.sh" ann bob </dev/null
	[ "$status" -eq 0 ]
	[ "$output" = 'tmux attach -t vivarium' ]
	[ "$(tmux list-panes -t vivarium | wc -l)" -eq 3 ]
	timeout 30 viv-status -W a
	run "$REPO/contrib/tmux/vivarium.sh" </dev/null
	[ "$status" -eq 1 ]
	[[ $output == *"runs already"* ]]
}

@test "contrib: the service files name programs and settings that exist" {
	command -v systemd-analyze >/dev/null || skip 'no systemd here'
	mkdir -p "$BATS_TEST_TMPDIR/run" "$BATS_TEST_TMPDIR/units"
	for f in "$REPO"/contrib/systemd/*; do
		sed "s|^ExecStart=viv|ExecStart=$BIN/viv|" "$f" >"$BATS_TEST_TMPDIR/units/${f##*/}"
	done
	cd "$BATS_TEST_TMPDIR/units"
	run env XDG_RUNTIME_DIR="$BATS_TEST_TMPDIR/run" systemd-analyze --user --man=no verify vivarium-resident@ada.service \
	    vivarium-tidy.service vivarium-tidy.timer
	[ "$status" -eq 0 ]
	[[ $output != *vivarium* ]]
}
