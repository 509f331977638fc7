load helper

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	mkdir tree
	N=$BATS_TEST_TMPDIR/new
}

mode_of() {
	stat -c %a "$1"
}

@test "init: a world has its directories, token, board, halt file and log" {
	viv-init -q "$N"
	for d in mutable/task_locks mutable/results mutable/work mutable/.swarm/identities \
	    mutable/.swarm/discussions mutable/library/community_library/swarm_docs \
	    mutable/library/community_library/resident_suggestions mutable/library/creative_works mutable/library/tools physics; do
		[ -d "$N/world/$d" ]
	done
	[ "$(jq -c 'keys_unsorted' "$N/world/mutable/queue.json")" = '["version","api_endpoint","tasks","completed","failed"]' ]
	[ "$(jq -c '[.version,.api_endpoint,.tasks,.completed,.failed]' "$N/world/mutable/queue.json")" = \
	    '["1.1","http://127.0.0.1:8420",[],[],[]]' ]
	[ "$(jq -c '[.halt,.reason,(.timestamp|type)]' "$N/world/mutable/.swarm/kill_switch.json")" = '[false,null,"string"]' ]
	[ "$(jq .max_tasks "$N/world/physics/limits.json")" = 1000000 ]
	[ ! -e "$N/world/physics/shared" ]
}

@test "init: security, journals and the token are private whatever the umask is" {
	(umask 0 && viv-init -q "$N")
	[ "$(mode_of "$N/meta/security")" = 700 ]
	[ "$(mode_of "$N/world/mutable/.swarm/journals")" = 700 ]
	[ "$(mode_of "$N/meta/security/internal_execution_token.txt")" = 600 ]
	[ "$(mode_of "$N/meta/security/policy.json")" = 600 ]
	[ "$(mode_of "$N/world/mutable/queue.json")" = 666 ]
}

@test "init: the token is 48 random bytes in base64url" {
	viv-init -q "$N" && viv-init -q "$N.b"
	t=$N/meta/security/internal_execution_token.txt
	grep -Eqx '[A-Za-z0-9_-]{64}' "$t"
	[ "$(wc -c < "$t")" -eq 65 ]
	! cmp -s "$t" "$N.b/meta/security/internal_execution_token.txt"
}

@test "init: the log begins with one line that later lines can follow" {
	viv-init -q "$N"
	log=$N/meta/audit/execution_log.jsonl
	[ "$(wc -l < "$log")" -eq 1 ]
	[ "$(jq -r '[.task_id,.status,.reason,(.seq|tostring)]|join(" ")' "$log")" = '_world queued world created 1' ]
	want=$(sha256sum < "$log" | cut -d' ' -f1)
	viv-add -q -C "$N" 'Draft something' > /dev/null
	[ "$(sed -n 2p "$log" | jq -r .prev)" = "$want" ]
}

@test "init: a second run changes no byte and says so" {
	viv-init -q --read tree "$N"
	(cd "$N" && find . -printf '%p %s %i %T@ %m\n' | sort) > before
	run viv-init --read tree "$N"
	[ "$status" -eq 0 ]
	[[ "$output" == *"nothing changed"* ]]
	(cd "$N" && find . -printf '%p %s %i %T@ %m\n' | sort) > after
	cmp before after
}

@test "init: what is missing is made again and what is there is kept" {
	viv-init -q "$N"
	rm -r "$N/world/mutable/results" "$N/world/mutable/.swarm/kill_switch.json"
	echo '{"tasks":[],"mine":1}' > "$N/world/mutable/queue.json"
	run viv-init "$N"
	[ "$status" -eq 0 ]
	[[ "$output" == *"made 'world/mutable/results'"* ]]
	[ -d "$N/world/mutable/results" ]
	[ -e "$N/world/mutable/.swarm/kill_switch.json" ]
	[ "$(jq .mine "$N/world/mutable/queue.json")" = 1 ]
	[ "$(wc -l < "$N/meta/audit/execution_log.jsonl")" -eq 1 ]
}

@test "init: a directory that is neither empty nor a world is refused with 73" {
	mkdir "$N" && touch "$N/x"
	run viv-init "$N"
	[ "$status" -eq 73 ]
	[ "$(ls -A "$N")" = x ]
	run viv-init "$N/x"
	[ "$status" -eq 73 ]
}

@test "init: a run that was killed at its first step is completed" {
	mkdir -p "$N/world"
	viv-init -q "$N"
	[ -e "$N/world/mutable/queue.json" ]
	mkdir -p "$N.b/world/mine"
	run viv-init "$N.b"
	[ "$status" -eq 73 ]
	mkdir -p "$N.c/world" "$N.c/mine"
	run viv-init "$N.c"
	[ "$status" -eq 73 ]
}

@test "init: without a name the working directory becomes the world" {
	mkdir "$N" && cd "$N"
	viv-init -q
	[ -e world/mutable/queue.json ]
}

@test "init: read roots are resolved and put into the policy" {
	ln -s tree link
	viv-init -q -r link --read / "$N" 2> /dev/null || true
	[ ! -e "$N" ]
	viv-init -q -r link "$N"
	[ "$(jq -c .read "$N/meta/security/policy.json")" = "[\"$BATS_TEST_TMPDIR/tree\"]" ]
	[ "$(jq -c 'del(.read)' "$N/meta/security/policy.json")" = "$(jq -c 'del(.read)' "$REPO/share/policy.json")" ]
}

@test "init: a read root is the one thing that an existing world gets" {
	viv-init -q -r tree "$N"
	mkdir other
	run viv-init --read other "$N"
	[ "$status" -eq 0 ]
	[[ "$output" == *"added the read root '$BATS_TEST_TMPDIR/other'"* ]]
	[ "$(jq -c '.read|length' "$N/meta/security/policy.json")" = 2 ]
	[ "$(mode_of "$N/meta/security/policy.json")" = 600 ]
}

@test "init: a read root around the world or inside it is refused with 77" {
	run viv-init -r "$BATS_TEST_TMPDIR" "$N"
	[ "$status" -eq 77 ]
	[ ! -e "$N" ]
	viv-init -q "$N"
	for d in "$N" "$N/world" "$N/world/mutable/../../.." /; do
		run viv-init -r "$d" "$N"
		[ "$status" -eq 77 ]
	done
	[ "$(jq -c .read "$N/meta/security/policy.json")" = '[]' ]
}

@test "init: a damaged policy is not replaced" {
	viv-init -q "$N"
	echo '{"read":[' > "$N/meta/security/policy.json"
	run viv-init -r tree "$N"
	[ "$status" -eq 78 ]
	[ "$(cat "$N/meta/security/policy.json")" = '{"read":[' ]
}

@test "init: a shared world says so in its physics and is never made of another" {
	viv-init -q --shared "$N"
	[ -e "$N/world/physics/shared" ]
	viv-init -q --shared "$N"
	viv-init -q "$N.b"
	run viv-init -s "$N.b"
	[ "$status" -eq 77 ]
	[ ! -e "$N.b/world/physics/shared" ]
}

@test "init: a dry run makes nothing and says what it would make" {
	run viv-init -n "$N"
	[ "$status" -eq 0 ]
	[[ "$output" == *"queue.json"* ]]
	[ ! -e "$N" ]
}

@test "init: eight at once make one world" {
	for i in 1 2 3 4 5 6 7 8; do viv-init -q "$N" & pids="$pids $!"; done
	for p in $pids; do wait "$p"; done
	[ "$(wc -l < "$N/meta/audit/execution_log.jsonl")" -eq 1 ]
	grep -Eqx '[A-Za-z0-9_-]{64}' "$N/meta/security/internal_execution_token.txt"
	[ -z "$(find "$N" -name '*.tmp.*')" ]
}

@test "init: talk names the next step and stdout stays empty" {
	out=$(viv-init "$N" 2> err)
	[ -z "$out" ]
	grep -q "export VIV_ROOT=$N" err
}

@test "init: two directories and unknown options are usage errors" {
	run viv-init a b
	[ "$status" -eq 2 ]
	run viv-init --nonsense
	[ "$status" -eq 2 ]
}

@test "init: a full disk is an error and a later run completes the world" {
	mkdir "$N"
	mount -t tmpfs -o size=16k,nr_inodes=1000 none "$N" 2> /dev/null || skip "cannot mount a tmpfs"
	run viv-init -q "$N"
	first=$status
	mount -o remount,size=4m "$N"
	run viv-init -q "$N"
	second=$status
	lines=$(wc -l < "$N/meta/audit/execution_log.jsonl")
	token=$(wc -c < "$N/meta/security/internal_execution_token.txt")
	umount "$N"
	[ "$first" -eq 74 ]
	[ "$second" -eq 0 ]
	[ "$lines" -eq 1 ]
	[ "$token" -eq 65 ]
}
