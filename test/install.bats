load helper

setup() {
	D=$BATS_TEST_TMPDIR/dest
	mkdir -p "$BATS_TEST_TMPDIR/elsewhere"
	cd "$BATS_TEST_TMPDIR/elsewhere"
	installed make_install
	PATH=$D/usr/bin:/usr/bin:/bin
	unset VIV_ROOT
}

# Without building anything: what is tested is there, and other tests run beside this.
installed() {
	env -u MAKEFLAGS make -s -C "$REPO" -o all B="$BUILD" BIN="$BIN" DESTDIR="$D" PREFIX=/usr \
	    "${1#make_}" >/dev/null
}

@test "install: commands, pages, defaults and completion are where the prefix says" {
	diff <(cd "$BIN" && ls) <(cd "$D/usr/bin" && ls)
	[ -x "$D/usr/bin/viv" ]
	[ -f "$D/usr/share/man/man7/vivarium.7" ]
	[ -f "$D/usr/share/man/man1/viv.1" ]
	cmp "$REPO/share/policy.json" "$D/usr/share/vivarium/policy.json"
	cmp "$REPO/world/README" "$D/usr/share/vivarium/world/README"
	[ -f "$D/usr/share/bash-completion/completions/viv-init" ]
}

@test "install: the installed commands work from another directory" {
	viv-init -q "$BATS_TEST_TMPDIR/w"
	cmp "$REPO/world/README" "$BATS_TEST_TMPDIR/w/world/README"
	run viv-guard <<<'{"id":"x","command":"true","mode":"local"}'
	[ "$status" -eq 0 ]
	[ "$(jq .safety.passed <<<"$output")" = true ]
	run viv help
	[ "$status" -eq 0 ]
	[[ $output = *'  guard '*' '[a-z]* ]]
	run viv help guard
	[ "$status" -eq 0 ]
}

@test "install: the installed viv finds its neighbours without PATH" {
	run env PATH=/usr/bin:/bin "$D/usr/bin/viv" -C "$BATS_TEST_TMPDIR/w2" init -q "$BATS_TEST_TMPDIR/w2"
	[ "$status" -eq 0 ]
	[ -f "$BATS_TEST_TMPDIR/w2/world/mutable/queue.json" ]
}

@test "install: uninstall removes all of it and nothing else" {
	mkdir -p "$D/usr/share/vivarium/world"
	touch "$D/usr/bin/other" "$D/usr/share/vivarium/world/mine"
	installed make_uninstall
	run find "$D" '(' -type f -o -type l ')' -printf '%P\n'
	[ "$(sort <<<"$output")" = "$(printf 'usr/bin/other\nusr/share/vivarium/world/mine')" ]
}

@test "install: dist is what is committed" {
	git -C "$REPO" rev-parse HEAD >/dev/null 2>&1 || skip "not a clone"
	git clone -q "$REPO" "$BATS_TEST_TMPDIR/clone"
	make -s -C "$BATS_TEST_TMPDIR/clone" dist
	tar -tzf "$BATS_TEST_TMPDIR"/clone/vivarium-*.tar.gz | grep -v '/$' | cut -d/ -f2- | sort >list
	diff <(git -C "$BATS_TEST_TMPDIR/clone" ls-files | sort) list
}
