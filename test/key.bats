load helper

KEY=gsk_Zq9vT4xW7rB2nM5kL8pD
setup() {
	unset GROQ_API_KEY
	mkdir -p "$BATS_TEST_TMPDIR/tree"
	cd "$BATS_TEST_TMPDIR/tree"
	make_world
	FILE=$W/meta/security/groq_api_key.txt
}

@test "key: set stores it for its owner only, show masks it, clear removes it" {
	echo "$KEY" | viv-key -q set
	[ "$(cat "$FILE")" = "$KEY" ]
	[ "$(stat -c %a "$FILE")" = 600 ]
	[ "$(viv-key show)" = "gsk_...L8pD	meta/security/groq_api_key.txt" ]
	[ "$(viv-key show -J)" = '{"set":true,"key":"gsk_...L8pD","source":"file"}' ]
	viv-key -q clear
	[ ! -e "$FILE" ]
	run viv-key show
	[ "$status" -eq 1 ]
	[ "$(viv-key show -J)" = '{"set":false,"key":null,"source":null}' ]
	run viv-key clear
	[ "$status" -eq 1 ]
}

@test "key: blanks around it and a missing newline do not matter" {
	printf '  %s \r\nsecond line\n' "$KEY" | viv-key -q set
	[ "$(cat "$FILE")" = "$KEY" ]
	printf %s "$KEY" | viv-key -q set
	[ "$(cat "$FILE")" = "$KEY" ]
}

@test "key: what cannot be a key is refused and not repeated" {
	echo "$KEY" | viv-key -q set
	for bad in '' short 'with a blank inside it' "$(printf 'tab\tinside-0123456789')" 'ümlaut-0123456789' \
	    "$(head -c 257 /dev/zero | tr '\0' x)" "$(printf 'esc\033-0123456789abc')"; do
		run viv-key set <<<"$bad"
		must test "$status" = 1
		[ -z "$bad" ] || [[ $output != *"$bad"* ]]
	done
	[ "$(cat "$FILE")" = "$KEY" ]
	head -c 256 /dev/zero | tr '\0' x | viv-key -q set
	[ "$(wc -c <"$FILE")" = 257 ]
}

@test "key: a key as an argument is refused and not repeated" {
	for args in "set $KEY" "$KEY" "$KEY x" "set -k $KEY"; do
		# shellcheck disable=SC2086 # words
		run viv-key $args </dev/null
		must test "$status" = 2
		[[ $output != *"$KEY"* ]]
	done
	[ ! -e "$FILE" ]
}

@test "key: the environment comes first, and set says so" {
	echo "$KEY" | viv-key -q set
	[ "$(GROQ_API_KEY=gsk_environment_0123 viv-key show)" = "gsk_...0123	GROQ_API_KEY" ]
	run env GROQ_API_KEY=gsk_environment_0123 viv-key set <<<"$KEY"
	[ "$status" -eq 0 ]
	[[ $output == *"GROQ_API_KEY is set and comes first"* ]]
}

@test "key: -n changes no byte" {
	viv-key -n set <<<"$KEY"
	[ ! -e "$FILE" ]
	viv-key -q set <<<"$KEY"
	viv-key -n set <<<"another-key-0123456789"
	viv-key -n clear
	[ "$(cat "$FILE")" = "$KEY" ]
}

@test "key: on a terminal nothing of it is shown while it is typed" {
	tmux -L "viv$$" -f /dev/null new-session -d -x 100 -y 20 "viv-key set; sleep 20"
	wait_until sh -c "tmux -L viv$$ capture-pane -p | grep -q 'key:'"
	tmux -L "viv$$" send-keys -l "$KEY"
	tmux -L "viv$$" send-keys Enter
	wait_until test -s "$FILE"
	screen=$(tmux -L "viv$$" capture-pane -p)
	tmux -L "viv$$" kill-server
	[[ $screen == *"key:"* ]]
	[[ $screen != *"${KEY:0:8}"* ]]
	[ "$(cat "$FILE")" = "$KEY" ]
}

@test "key: a full disk leaves the old key" {
	viv-key -q set <<<"$KEY"
	mount -t tmpfs -o size=16k,mode=700 none "$W/meta/security" 2>/dev/null || skip "cannot mount"
	viv-key -q set <<<"$KEY"
	dd if=/dev/zero of="$W/meta/security/fill" bs=4k 2>/dev/null || true
	run viv-key set <<<"another-key-0123456789"
	stored=$(cat "$FILE")
	left=$(find "$W/meta/security" -name '.*tmp*')
	umount "$W/meta/security"
	[ "$status" -eq 74 ] || [ "$status" -eq 73 ]
	[ "$stored" = "$KEY" ]
	[ -z "$left" ]
}
