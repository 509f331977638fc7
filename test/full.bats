bats_require_minimum_version 1.5.0
load helper

# A world of its own on a small tmpfs; skipped where mounting is refused.
small_world() {
	mnt=$BATS_TEST_TMPDIR/small
	mkdir -p "$mnt"
	mount -t tmpfs -o "size=$1" tmpfs "$mnt" 2>/dev/null || skip "cannot mount a tmpfs"
	W=$mnt/world
	export W VIV_ROOT=$W
	viv-init -q --read "$BATS_TEST_TMPDIR/tree" "$W"
}

teardown() {
	cd /
	if [ -n "${mnt-}" ]; then umount -l "$mnt" 2>/dev/null || :; fi
	if [ -n "${ro-}" ]; then umount -l "$ro" 2>/dev/null || :; fi
}

@test "full: a pipeline on a full disk reports it, loses nothing, and goes on when there is room" {
	small_world 1m
	for i in 1 2 3 4 5 6; do viv-add -q -m local -i t$i "echo $i" >/dev/null; done
	dd if=/dev/zero of="$mnt/ballast" bs=1k 2>/dev/null || :
	before=$(viv-log -s approved | wc -l)
	run viv-resident -e -r ada
	[ "$status" -ne 0 ]
	[[ $output = *'No space left on device'* ]]
	viv-log -V
	[ "$(viv-log -s approved | wc -l)" -eq "$before" ]
	rm "$mnt/ballast"
	finished() { viv-resident -e -r bob && [ "$(viv-log -s approved | jq -r .task_id | sort -u | wc -l)" -eq 6 ]; }
	wait_until finished
	viv-log -V
	viv-doctor -q -r
}

@test "full: posting on a full disk is refused with 73 or 74 and the board stays whole" {
	small_world 1m
	viv-add -q -i a true >/dev/null
	before=$(sha256sum <"$W/world/mutable/queue.json")
	dd if=/dev/zero of="$mnt/ballast" bs=1k 2>/dev/null || :
	run viv-add -q "$(head -c 3000 /dev/zero | tr '\0' x)"
	[ "$status" -eq 73 ] || [ "$status" -eq 74 ]
	[[ $output = *'No space left on device'* ]]
	[ "$(sha256sum <"$W/world/mutable/queue.json")" = "$before" ]
	[ -z "$(find "$W" -name '.*.tmp.*')" ]
}

@test "full: output that cannot be written is 74 for every command that prints" {
	viv-add -q -m local -i a true >/dev/null
	for c in 'viv-status' 'viv-log -q' 'viv-log -V' 'viv-status -J' 'viv-claim -n' 'viv-guard -l' 'viv-doctor -v' \
	    'viv-halt status' 'viv-claim -h'; do
		$c >out 2>/dev/null || :
		[ -s out ] || continue
		run sh -c "$c >/dev/full"
		[ "$status" -eq 74 ] || { echo "$c: $status"; false; }
	done
}

@test "full: a read-only world can be looked at, and refuses the rest in one line each" {
	viv-add -q -m local -i a true >/dev/null
	ro=$BATS_TEST_TMPDIR/ro
	mkdir "$ro"
	if ! mount --bind "$W" "$ro" 2>/dev/null || ! mount -o remount,ro,bind "$ro" 2>/dev/null; then skip "cannot mount"; fi
	export VIV_ROOT=$ro
	viv-status | grep -q ready
	viv-log -V
	for c in 'viv-add -q x' 'viv-claim -c 1' 'viv-halt -q on' 'viv-tidy' 'viv-add -q -x a'; do
		run --separate-stderr $c
		[[ $status = 7[345] ]] || { echo "$c: $status $stderr"; false; }
		[ "$(wc -l <<<"$stderr")" -le 2 ]
		[[ $stderr = *'Read-only file system'* ]]
	done
}

@test "full: with too few descriptors a command says so and nothing is half-done" {
	viv-add -q -m local -i a true >/dev/null
	before=$(find "$W" -type f -not -path '*/.cache/*' -exec sha256sum {} + | sort)
	for n in 4 5 6 7 8 9; do
		run sh -c "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; ulimit -n $n; exec viv-claim -c 1 -r me"
		[ "$status" -ne 0 ] || break
		[[ $output = *'oo many open files'* ]] || { echo "$n: $status: $output"; false; }
		[ "$(find "$W" -type f -not -path '*/.cache/*' -exec sha256sum {} + | sort)" = "$before" ]
	done
	viv-release -r me a || :
	viv-resident -e -r ada
	[[ $(history_of a) = *approved ]]
}

@test "full: a world on a path with blanks, UTF-8 and a newline works from end to end" {
	odd=$BATS_TEST_TMPDIR/$'two words\nünïcode "q" \\'
	mkdir -p "$odd/tree"
	echo one >"$odd/tree/a.txt"
	W="$odd/wörld $"
	export W VIV_ROOT=$W
	viv-init -q --read "$odd/tree" "$W"
	cd "$odd/tree"
	viv-add -q -m local -i a 'cat a.txt' >/dev/null
	viv-add -q -m local -i b -d a 'wc -l a.txt' >/dev/null
	viv-resident -e -r ada
	[ "$(viv-status -o a)" = one ]
	[[ $(history_of b) = *approved ]]
	viv-log -V
	"$REPO/share/verify-log.sh" "$W"
	viv-tidy -q --older 0
	viv-doctor -q
}
