# The audit chain: lib/chain.c and share/verify-log.sh must say the same.

load helper

# Lines $1 to $2 of a chain, made by sha256sum alone; $3: the line before the first.
chain() {
	local i prev line=$3
	if [ -n "$line" ]; then
		prev=$(printf '%s\n' "$line" | sha256sum | cut -c1-64)
	else
		prev=$(printf '%064d' 0)
	fi
	for i in $(seq "$1" "$2"); do
		line='{"task_id":"t'$i'","status":"queued","text":"a \\ \" \u00e9 b","seq":'$i',"prev":"'$prev'"}'
		printf '%s\n' "$line"
		prev=$(printf '%s\n' "$line" | sha256sum | cut -c1-64)
	done
}

setup() {
	W=$BATS_TEST_TMPDIR/a\ world
	A=$W/meta/audit
	L=$A/execution_log.jsonl
	mkdir -p "$W/world/mutable" "$A"
	chain 1 9 '' > "$L"
}

# What C and shell say must be: exit status $1, beginning with $2.
both() {
	run "$BUILD/test/chain_test" "$W"
	echo "C: $output"
	[ "$status" -eq "$1" ]
	[[ $output == "$2"* ]]
	run sh "$REPO/share/verify-log.sh" "$W"
	echo "sh: $output"
	[ "$status" -eq "$1" ]
	[[ $output == "${2%%: *}"* ]]
}

@test "chain: a log as viv-init begins it is whole" {
	mkdir "$BATS_TEST_TMPDIR/tree"
	make_world
	[ "$("$BUILD/test/chain_test" "$W")" = "ok lines 1 unchained 0 segments 1 torn <>" ]
	[ "$(sh "$REPO/share/verify-log.sh" "$W"/meta/audit/execution_log.jsonl)" = ok ]
}

@test "chain: whole lines are counted" {
	both 0 ok
	[ "$("$BUILD/test/chain_test" "$W")" = "ok lines 9 unchained 0 segments 1 torn <>" ]
}

@test "chain: an empty log is whole" {
	: > "$L"
	both 0 ok
}

@test "chain: a changed line is named by its number" {
	sed -i '5s/queued/failed/' "$L"
	both 1 execution_log.jsonl:5
}

@test "chain: a changed seq is noticed in the line that carries it" {
	sed -i '5s/"seq":5/"seq":50/' "$L"
	both 1 execution_log.jsonl:5
}

@test "chain: a changed prev is noticed" {
	sed -i '5s/"prev":".../"prev":"xyz/' "$L"
	both 1 execution_log.jsonl:4
}

@test "chain: a removed line is noticed at the one after the gap" {
	sed -i 5d "$L"
	both 1 execution_log.jsonl:5
}

@test "chain: removed first lines are noticed" {
	sed -i 1,2d "$L"
	both 1 execution_log.jsonl:1
}

@test "chain: swapped lines are noticed" {
	sed -i '5{h;d};6{G}' "$L"
	[ "$(sed -n 5p "$L" | jq .seq)" = 6 ]
	both 1 execution_log.jsonl:5
}

@test "chain: a repeated line is noticed" {
	sed -i 5p "$L"
	both 1 execution_log.jsonl:6
}

@test "chain: an inserted line without prev is noticed" {
	sed -i '5a{"task_id":"x","status":"approved"}' "$L"
	both 1 execution_log.jsonl:6
}

@test "chain: a line that is not JSON is noticed" {
	sed -i '5s/}$//' "$L"
	both 1 execution_log.jsonl:5
}

@test "chain: a member given twice is noticed where a tree would hide it" {
	sed -i '9s/^{/{"task_id":"zz",/' "$L"
	run "$BUILD/test/chain_test" "$W"
	[ "$status" -eq 1 ]
	[[ $output == execution_log.jsonl:9:* ]]
}

@test "chain: lines of an older world come first and are counted" {
	printf '%s\n' '{"task_id":"o","status":"approved"}' '{"task_id":"p","status":"failed"}' > "$L"
	line=$(tail -1 "$L")
	prev=$(printf '%s\n' "$line" | sha256sum | cut -c1-64)
	printf '{"task_id":"q","seq":1,"prev":"%s"}\n' "$prev" >> "$L"
	both 0 ok
	[ "$("$BUILD/test/chain_test" "$W")" = "ok lines 3 unchained 2 segments 1 torn <>" ]
	sed -i '2s/failed/approved/' "$L"
	both 1 execution_log.jsonl:2
}

@test "chain: a rotated segment is continued, also past the ninth" {
	mv "$L" "$A/execution_log.1.jsonl"
	for n in 2 3 4 5 6 7 8 9 10 11; do
		chain $((3 * n + 4)) $((3 * n + 6)) "$(tail -1 "$A/execution_log.$((n - 1)).jsonl")" \
		    > "$A/execution_log.$n.jsonl"
	done
	chain 40 41 "$(tail -1 "$A/execution_log.11.jsonl")" > "$L"
	both 0 ok
	[ "$("$BUILD/test/chain_test" "$W")" = "ok lines 41 unchained 0 segments 12 torn <>" ]
	rm "$A/execution_log.10.jsonl"
	both 1 execution_log.11.jsonl:1
}

@test "chain: a rotated segment whose last line was changed is named" {
	mv "$L" "$A/execution_log.1.jsonl"
	chain 10 12 "$(tail -1 "$A/execution_log.1.jsonl")" > "$L"
	both 0 ok
	sed -i '9s/queued/failed/' "$A/execution_log.1.jsonl"
	both 1 execution_log.1.jsonl:9
}

@test "chain: each host of a shared world has its own" {
	mv "$L" "$A/execution_log.9ab.1.jsonl"
	chain 10 11 "$(tail -1 "$A/execution_log.9ab.1.jsonl")" > "$A/execution_log.9ab.jsonl"
	chain 1 4 '' > "$A/execution_log.9abc.jsonl"
	both 0 ok
	sed -i 2d "$A/execution_log.9abc.jsonl"
	both 1 execution_log.9abc.jsonl:2
}

@test "chain: a torn tail is reported, and is no bad line" {
	printf '{"torn' >> "$L"
	[ "$("$BUILD/test/chain_test" "$W")" = "ok lines 9 unchained 0 segments 1 torn <execution_log.jsonl>" ]
	mv "$L" "$A/execution_log.1.jsonl"
	run "$BUILD/test/chain_test" "$W"
	[ "$status" -eq 1 ]
	[[ $output == "execution_log.1.jsonl:10: it is torn"* ]]
}
