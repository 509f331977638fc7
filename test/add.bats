load helper

board() {
	jq "$@" "$W/world/mutable/queue.json"
}

# Every line's prev is the hash of the line before it.
chain_holds() {
	local prev=0000000000000000000000000000000000000000000000000000000000000000 line
	while IFS= read -r line; do
		[ "$(jq -r .prev <<< "$line")" = "$prev" ] || return 1
		prev=$(printf '%s\n' "$line" | sha256sum | cut -d' ' -f1)
	done < "$(log_file)"
}

# Nothing was written: run the command and compare board and log.
unchanged() {
	cp "$W/world/mutable/queue.json" "$BATS_TEST_TMPDIR/q.before"
	cp "$(log_file)" "$BATS_TEST_TMPDIR/l.before"
	run "$@"
	cmp "$W/world/mutable/queue.json" "$BATS_TEST_TMPDIR/q.before"
	cmp "$(log_file)" "$BATS_TEST_TMPDIR/l.before"
}

@test "add: a text becomes a task for a model, and its id is printed" {
	id=$(viv-add 'Draft a proposal')
	[[ "$id" =~ ^t[0-9]{8}-[0-9]{6}-[0-9]{3}-[0-9a-f]{4}$ ]]
	[ "$(board -c '.tasks[0]')" = "{\"id\":\"$id\",\"type\":\"cycle\",\"prompt\":\"Draft a proposal\",\"depends_on\":[],\"parallel_safe\":true,\"status\":\"pending\"}" ]
}

@test "add: -m local makes a command that runs where the poster is" {
	viv-add -i one -m local 'ls -l'
	[ "$(board -c '.tasks[0]|[.command,.mode,.workdir,.prompt]')" = "[\"ls -l\",\"local\",\"$BATS_TEST_TMPDIR/tree\",null]" ]
}

@test "add: outside the read roots a command gets no workdir, and that is said" {
	cd "$BATS_TEST_TMPDIR"
	run viv-add -i one -m local ls
	[ "$status" -eq 0 ]
	[[ "$output" == *"scratch directory"* ]]
	[ "$(board '.tasks[0]|has("workdir")')" = false ]
	unchanged viv-add -m local -w "$W" ls
	[ "$status" -eq 77 ]
	mkdir tree/sub
	viv-add -i two -m local -w tree/sub ls
	[ "$(board -r '.tasks[1].workdir')" = "$BATS_TEST_TMPDIR/tree/sub" ]
}

@test "add: each flag becomes its member" {
	export VIV_NOW=2030-01-31T08:00:00Z
	viv-add -q -i dep 'first'
	viv-add -q -i full -d dep -p -5 -b 0.25 -M some-model -t 2m -T a -T b -I ada --not-before +30m \
	    --deadline 2030-02-01T00:00:00+01:00 --max-attempts 4 --ok-exit 0,1 --review human --serial 'all of it'
	[ "$(board -cS '.tasks[1]|del(.type,.status,.prompt)')" = "$(jq -ncS '{id:"full",depends_on:["dep"],priority:-5,
	    max_budget:0.25,model:"some-model",timeout:120,tags:["a","b"],identity_id:"ada",
	    not_before:"2030-01-31T08:30:00.000000+00:00",deadline:"2030-01-31T23:00:00.000000+00:00",
	    max_attempts:4,ok_exit:[0,1],review:"human",parallel_safe:false}')" ]
	[ "$(board -c '.tasks[1]|keys_unsorted[:8]')" = '["id","type","prompt","max_budget","depends_on","parallel_safe","model","status"]' ]
}

@test "add: a queued event carries the task and the chain of the log holds" {
	viv-add -q -i one 'first' && viv-add -q -i two -T x 'second'
	[ "$(history_of two)" = queued ]
	[ "$(jq -c 'select(.task_id=="two")|[.generation,.task]' "$(log_file)")" = "[0,$(board -c '.tasks[1]')]" ]
	chain_holds
}

@test "add: tasks stand one a line and what was there keeps its bytes" {
	printf '{ "mine" : 1,\n\t"tasks": [\n\t\t{ "id": "old",  "prompt": "x]" }\n\t]\n}\n' > "$W/world/mutable/queue.json"
	viv-add -q -i new 'hello'
	q=$W/world/mutable/queue.json
	[ "$(sed -n 3p "$q")" = $'\t\t{ "id": "old",  "prompt": "x]" },' ]
	[[ "$(sed -n 4p "$q")" == $'\t\t{"id":"new",'*'}' ]]
	[ "$(sed -n 1,2p "$q")" = $'{ "mine" : 1,\n\t"tasks": [' ]
	[ "$(sed -n '5,$p' "$q")" = $'\t]\n}' ]
}

@test "add: JSON Lines keep their members, order and ids" {
	printf '%s\n' '{"id":"b","prompt":"x","extra":{"k":[1]},"depends_on":["c"]}' '' \
	    '{"command":"ls","id":"c"}' '{"prompt":"no id"}' '{"prompt":"nor here"}' | viv-add -p 7 > ids
	[ "$(board -r '.tasks[].id')" = "$(cat ids)" ]
	[ "$(sed -n 1,2p ids | paste -sd' ')" = 'b c' ]
	[ "$(sed -n 3,4p ids | sort)" = "$(sed -n 3,4p ids)" ]
	[ "$(board -c '.tasks[0].extra')" = '{"k":[1]}' ]
	[ "$(board -c '[.tasks[].priority]')" = '[7,7,7,7]' ]
	[ "$(board -r '.tasks[1].mode')" = local ]
	[ "$(grep -c '"queued"' "$(log_file)")" -eq 5 ]
}

@test "add: one bad line refuses the stream by its number" {
	for bad in 'not json' '[1]' '{"id":"../x","prompt":"p"}' '{"id":"ok1","prompt":"p"}' '{"id":"x"}' \
	    '{"prompt":"p","priority":"high"}' '{"prompt":"p","depends_on":["nobody"]}' \
	    '{"id":"me","prompt":"p","depends_on":["me"]}' '{"prompt":"p","claim":{}}' '{"prompt":"p","prompt":"q"}'; do
		printf '{"id":"ok1","prompt":"p"}\n%s\n' "$bad" > in
		unchanged viv-add - < in
		[ "$status" -eq 1 ]
		[[ "$output" == *"line 2: "* ]]
	done
}

@test "add: --keep-going posts the good lines and what does not hang on a bad one" {
	run viv-add --keep-going <<-'END'
	{"id":"a","prompt":"p"}
	{"id":"hangs2","prompt":"p","depends_on":["hangs"]}
	{"id":"hangs","prompt":"p","depends_on":["bad"]}
	{"id":"bad","prompt":5}
	torn
	{"id":"b","prompt":"p","depends_on":["a"]}
	END
	[ "$status" -eq 1 ]
	[ "$(board -c '[.tasks[].id]')" = '["a","b"]' ]
	for n in 2 3 4 5; do [[ "$output" == *"line $n: "* ]]; done
}

@test "add: cycles are refused, within a stream and over the board" {
	printf '{"tasks":[{"id":"old","prompt":"x","depends_on":["new"]}]}' > "$W/world/mutable/queue.json"
	unchanged viv-add -i new -d old 'x'
	[ "$status" -eq 1 ]
	[[ "$output" == *"cycle: new -> old -> new"* ]]
	printf '{"id":"a","prompt":"p","depends_on":["b"]}\n{"id":"b","prompt":"p","depends_on":["a"]}\n' > in
	unchanged viv-add < in
	[ "$status" -eq 1 ]
	viv-add -q -i new 'x'
}

@test "add: an id is never used twice, not even after its task left the board" {
	viv-add -q -i one 'x'
	unchanged viv-add -i one 'y'
	[ "$status" -eq 1 ]
	[[ "$output" == *"on the board already"* ]]
	echo '{"tasks":[]}' > "$W/world/mutable/queue.json"
	unchanged viv-add -i one 'y'
	[ "$status" -eq 1 ]
	[[ "$output" == *"used before"* ]]
	viv-add -q -i two -d one 'may depend on what the log knows'
}

@test "add: hostile ids are refused" {
	for id in . .. .a a/b ../../x _serial '' ' ' 'a b' 'a,b' -x $'a\nb' $'a\tb' $'\e[31m' $'\xff' \
	    "$(printf 'x%.0s' $(seq 201))"; do
		unchanged viv-add -i "$id" 'x'
		[ "$status" -eq 1 ]
		[[ "$output" != *$'\e'* ]]
	done
	[ "$(ls -A "$W/world/mutable/task_locks")" = "" ]
	viv-add -q -i "$(printf 'x%.0s' $(seq 200))" 'x'
}

@test "add: the old form is told what -i is for" {
	unchanged viv-add task-001 'Do it'
	[ "$status" -eq 2 ]
	[[ "$output" == *"viv-add -i 'task-001' 'TEXT'"* ]]
	unchanged viv-add Do it now
	[ "$status" -eq 2 ]
	[[ "$output" == *"quote it"* ]]
}

@test "add: flags that cannot be right are usage errors" {
	for f in '-m shell' '-p high' '-b -1' '-t 0' '-t 2h' '--not-before soon' '--ok-exit 256' '-d a,,b' '-k' '-k -x a'; do
		# shellcheck disable=SC2086
		unchanged viv-add $f
		[ "$status" -eq 2 ]
	done
}

@test "add: the limits of the world's physics hold" {
	echo '{"max_tasks":2,"max_instruction_chars":5}' > "$W/world/physics/limits.json"
	viv-add -q -i a 'äöüßx'
	unchanged viv-add -i b 'sixsix'
	[ "$status" -eq 1 ]
	viv-add -q -i b 'x'
	unchanged viv-add -i c 'x'
	[ "$status" -eq 77 ]
	viv-add -q -x a
	viv-add -q -i c 'x'
}

@test "add: a dry run prints and changes no byte" {
	find "$W" -printf '%p %s %T@ %i\n' | sort > before
	run viv-add -n -J -i one 'x'
	[ "$status" -eq 0 ]
	[ "$(jq -r .id <<< "$output")" = one ]
	run viv-add -n -d nobody 'x'
	[ "$status" -eq 1 ]
	find "$W" -printf '%p %s %T@ %i\n' | sort > after
	cmp before after
}

@test "add: -J prints the tasks as posted" {
	[ "$(viv-add -J -i one -T x 'hello')" = "$(board -c '.tasks[0]')" ]
}

@test "add: withdrawn is dead, and a kick revives it" {
	viv-add -q -i a 'x'
	viv-add -q -i b 'x'
	[ "$(viv-add -x a b)" = $'a\nb' ]
	[ "$(history_of a)" = 'queued failed' ]
	[ "$(jq -c 'select(.task_id=="a" and .status=="failed")|[.reason,.final,.generation]' "$(log_file)")" = '["withdrawn",true,1]' ]
	run viv-add -x a
	[ "$status" -eq 1 ]
	viv-add -q -k a
	[ "$(history_of a)" = 'queued failed queued' ]
	run viv-add -k a
	[ "$status" -eq 1 ]
	[[ "$output" == *"not dead"* ]]
	[ "$(ls -A "$W/world/mutable/task_locks")" = "" ]
	chain_holds
}

@test "add: a bad id among several does not keep the others from being decided" {
	viv-add -q -i a 'x'
	run viv-add -x nobody a
	[ "$status" -eq 1 ]
	[[ "$output" == *"'nobody' is unknown"* ]]
	[ "$(history_of a)" = 'queued failed' ]
}

@test "add: a held task cannot be withdrawn" {
	viv-add -q -i a 'x'
	command -v viv-claim > /dev/null || skip "viv-claim is not there yet"
	viv-claim -c 1 -r somebody > line
	run viv-add -x a
	[ "$status" -eq 77 ]
	[ "$(history_of a)" = 'queued in_progress' ] || [ "$(history_of a)" = queued ]
}

@test "add: eight at once lose nothing" {
	pids=
	for i in 1 2 3 4 5 6 7 8; do
		for k in 1 2 3 4 5; do echo "{\"id\":\"t$i-$k\",\"prompt\":\"p\"}" | viv-add -q > /dev/null || exit 1; done &
		pids="$pids $!"
	done
	for p in $pids; do wait "$p"; done
	[ "$(board '.tasks|length')" -eq 40 ]
	[ "$(board '[.tasks[].id]|unique|length')" -eq 40 ]
	[ "$(jq -r 'select(.status=="queued")|.task_id' "$(log_file)" | sort -u | wc -l)" -eq 41 ]
	chain_holds
}

@test "add: killed at any call it leaves a whole board and nothing lost" {
	strace -o /dev/null true 2> /dev/null || skip "cannot trace"
	viv-add -q -i first 'x'
	n=0
	for call in openat write fsync fdatasync renameat; do
		for when in 1 2 3 4 5 6; do
			n=$((n + 1))
			strace -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$when \
			    viv-add -q -i "k$n" 'x' > /dev/null 2>&1 || true
			board -e '.tasks[0].id == "first"' > /dev/null
			viv-add -q -i "after$n" 'x'
			board -e --arg id "after$n" '.tasks[-1].id == $id' > /dev/null
		done
	done
	[ "$(board '[.tasks[].id]|length - (unique|length)')" -eq 0 ]
	# whatever the log says was posted is on the board
	jq -r 'select(.task)|.task_id' "$(log_file)" | sort > logged
	board -r '.tasks[].id' | sort > posted
	[ -z "$(comm -23 logged posted)" ]
	chain_holds
}

@test "add: an editor that saves by rename before the replacement loses nothing" {
	strace -o /dev/null true 2> /dev/null || skip "cannot trace"
	viv-add -q -i first 'x'
	q=$W/world/mutable/queue.json
	# stopped when its new file is complete; a person saves meanwhile
	# the leak checker of the sanitizers cannot work in a traced process
	ASAN_OPTIONS=detect_leaks=0 strace -o /dev/null -e trace=fsync -e inject=fsync:signal=STOP:when=1 viv-add -q -i second 'x' > out 2>&1 &
	tracer=$!
	stopped() { pid=$(pgrep -P "$tracer" viv-add) && grep -q '^State:.*[Tt]' "/proc/$pid/status"; }
	wait_until stopped
	jq -c '.tasks += [{id:"mine",prompt:"by hand"}]' "$q" > edited
	mv edited "$q"
	while kill -CONT "$pid" 2> /dev/null; do sleep 0.05; done
	wait "$tracer"
	[ "$(board -c '[.tasks[].id]')" = '["first","mine","second"]' ]
	[ -z "$(find "$W" -name '*.tmp.*')" ]
}

@test "add: a board half written by an older program is waited for" {
	q=$W/world/mutable/queue.json
	cp "$q" whole
	printf '{"tasks": [' > "$q"
	viv-add -q -i a 'x' > out 2>&1 &
	pid=$!
	cat whole > "$q"
	wait "$pid"
	[ "$(board -r '.tasks[].id')" = a ]
}

@test "add: a damaged board is never replaced" {
	q=$W/world/mutable/queue.json
	for text in '' '{"tasks":[' '[1]' '{"tasks":5}' '{"tasks":[],"tasks":[]}' '{"tasks":[{"id":"a","prompt":"'$'\xff''"}]}'; do
		printf %s "$text" > "$q"
		run viv-add 'x'
		[ "$status" -eq 78 ]
		[ "$(cat "$q"; echo .)" = "$text." ]
	done
	rm "$q"
	run viv-add 'x'
	[ "$status" -eq 78 ]
	[ ! -e "$q" ]
}

@test "add: falsy boards are empty boards" {
	for text in null '{}' '[]' '{"tasks":null}' '{"version":"","tasks":[]}'; do
		printf %s "$text" > "$W/world/mutable/queue.json"
		viv-add -q 'x' > /dev/null
		[ "$(board '.tasks|length')" -eq 1 ]
	done
}

@test "add: the mode of the board is kept" {
	chmod 640 "$W/world/mutable/queue.json"
	viv-add -q 'x'
	[ "$(stat -c %a "$W/world/mutable/queue.json")" = 640 ]
}

@test "add: output that cannot be written is an error" {
	run sh -c 'viv-add -i a x > /dev/full'
	[ "$status" -eq 74 ]
}

@test "add: a full disk leaves the old board" {
	mkdir "$BATS_TEST_TMPDIR/small"
	mount -t tmpfs -o size=256k none "$BATS_TEST_TMPDIR/small" 2> /dev/null || skip "cannot mount a tmpfs"
	S=$BATS_TEST_TMPDIR/small/w
	viv-init -q "$S"
	viv-add -q -C "$S" -i first 'x'
	head -c 1m /dev/zero > "$BATS_TEST_TMPDIR/small/fill" 2> /dev/null || true
	run viv-add -C "$S" -i second 'x'
	rc=$status
	ids=$(jq -c '[.tasks[].id]' "$S/world/mutable/queue.json")
	rm "$BATS_TEST_TMPDIR/small/fill"
	left=$(find "$S" -name '*.tmp.*')
	run viv-add -q -C "$S" -i second 'x'
	umount "$BATS_TEST_TMPDIR/small"
	[ "$rc" -eq 74 ] || [ "$rc" -eq 73 ]
	[ "$ids" = '["first"]' ]
	[ -z "$left" ]
	[ "$status" -eq 0 ]
}
