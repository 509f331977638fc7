load helper

# The editor of these tests: a shell script whose $1 is the file.
editor() {
	printf '#!/bin/sh\nset -e\n%s\n' "$1" > "$BATS_TEST_TMPDIR/editor"
	chmod +x "$BATS_TEST_TMPDIR/editor"
	export EDITOR="$BATS_TEST_TMPDIR/editor" TMPDIR="$BATS_TEST_TMPDIR/tmp"
	unset VISUAL
	mkdir -p "$TMPDIR"
}

# An editor that applies a jq program, and saves by rename as many do.
with_jq() {
	editor "jq '$1' \"\$1\" > \"\$1.new\"; mv \"\$1.new\" \"\$1\"; ${2:-}"
}

board() {
	jq "$@" "$W/world/mutable/queue.json"
}

unchanged() {
	cp "$W/world/mutable/queue.json" "$BATS_TEST_TMPDIR/q.before"
	cp "$(log_file)" "$BATS_TEST_TMPDIR/l.before"
	run "$@"
	cmp "$W/world/mutable/queue.json" "$BATS_TEST_TMPDIR/q.before"
	cmp "$(log_file)" "$BATS_TEST_TMPDIR/l.before"
}

# The text that a failed edit keeps.
kept() {
	local f
	f=$(sed -n "s/.*kept in '\(.*\)'/\1/p" <<< "$output")
	[ -s "$f" ] && [ "$(stat -c %a "$f")" = 600 ]
}

two_tasks() {
	viv-add -q -i a 'first'
	viv-add -q -i b 'second'
}

@test "edit: an edit is saved with its own layout and a new task is logged" {
	two_tasks
	with_jq '.tasks[0].priority = 9 | .tasks += [{"id":"c","prompt":"third"}]' 'cp "$1" "$TMPDIR/../saved"'
	run viv-edit
	[ "$status" -eq 0 ]
	[[ "$output" == *"1 added, 1 changed, 0 removed"* ]]
	cmp "$BATS_TEST_TMPDIR/saved" "$W/world/mutable/queue.json"
	[ "$(history_of c)" = queued ]
	[ "$(history_of a)" = queued ]
	[ "$(jq -r 'select(.task_id=="c").task.prompt' "$(log_file)")" = third ]
	[ -z "$(ls "$TMPDIR")" ]
}

@test "edit: no change is said and nothing is written" {
	two_tasks
	editor 'touch "$1"'
	unchanged viv-edit
	[ "$status" -eq 0 ]
	[[ "$output" == *"no change"* ]]
	[ -z "$(ls "$TMPDIR")" ]
}

@test "edit: what others post meanwhile is kept" {
	two_tasks
	with_jq '.tasks[1].title = "mine" | del(.tasks[0]) | .note = "n"' "viv-add -q -i c third"
	run viv-edit
	[ "$status" -eq 0 ]
	[ "$(board -c '[.tasks[]|[.id,.title]]')" = '[["b","mine"],["c",null]]' ]
	[ "$(board -r .note)" = n ]
	[ "$(board -r .version)" = 1.1 ]
}

@test "edit: two people who edit different tasks lose nothing" {
	two_tasks
	inner=$BATS_TEST_TMPDIR/inner
	printf '#!/bin/sh\nsed -i s/first/FIRST/ "$1"\n' > "$inner"
	chmod +x "$inner"
	editor "EDITOR=$inner viv-edit -q; sed -i s/second/SECOND/ \"\$1\""
	run viv-edit
	[ "$status" -eq 0 ]
	[ "$(board -c '[.tasks[].prompt]')" = '["FIRST","SECOND"]' ]
}

@test "edit: the same task changed twice is a conflict and the text is kept" {
	two_tasks
	with_jq '.tasks[0].title = "mine"' "sed 's/first/theirs/' $W/world/mutable/queue.json > \$TMPDIR/q; cp \$TMPDIR/q $W/world/mutable/queue.json; rm \$TMPDIR/q"
	run viv-edit < /dev/null
	[ "$status" -eq 1 ]
	[[ "$output" == *"task 'a' was changed by somebody else too"* ]]
	[ "$(board -c '[.tasks[0].title,.tasks[0].prompt]')" = '[null,"theirs"]' ]
	kept
}

@test "edit: the same change made twice, or spelled otherwise, is none" {
	two_tasks
	with_jq '.tasks[0].title = "same"' "cp $W/world/mutable/queue.json \$TMPDIR/../q.old; jq -c . \"\$1\" > $W/world/mutable/queue.json"
	run viv-edit
	[ "$status" -eq 0 ]
	[[ "$output" == *"0 added, 0 changed, 0 removed"* ]]
	[ "$(board -r '.tasks[0].title')" = same ]
}

@test "edit: removing what somebody else changed is a conflict" {
	two_tasks
	with_jq 'del(.tasks[0])' "sed -i s/first/theirs/ $W/world/mutable/queue.json"
	run viv-edit < /dev/null
	[ "$status" -eq 1 ]
	[ "$(board -r '.tasks[0].prompt')" = theirs ]
	kept
}

@test "edit: what broke is refused, nothing is written and the text is kept" {
	two_tasks
	for edit in '.tasks[0].priority = "high"' '.tasks += [{"id":"c"}]' '.tasks += [{"id":"../c","prompt":"x"}]' \
	    '.tasks += [{"id":"a","prompt":"again"}]' '.tasks += [{"prompt":"no id"}]' '.tasks[0].depends_on = ["b"] | .tasks[1].depends_on = ["a"]' \
	    '.tasks[0].depends_on = ["nobody"]' '.tasks = 5' '[1]'; do
		with_jq "$edit"
		unchanged viv-edit < /dev/null
		[ "$status" -eq 1 ]
		kept
	done
	editor 'echo "{" >> "$1"'
	unchanged viv-edit < /dev/null
	[ "$status" -eq 1 ]
	[[ "$output" == *"line "*"column "* ]]
	kept
	editor ': > "$1"'
	unchanged viv-edit < /dev/null
	[ "$status" -eq 1 ]
}

@test "edit: a task that was odd before and was not touched is left alone" {
	printf '{"tasks":[{"id":"odd","prompt":5,"status":"approved"},\n{"id":"b","prompt":"x"}]}' > "$W/world/mutable/queue.json"
	with_jq '.tasks[1].prompt = "y"'
	viv-edit -q
	[ "$(board -c '[.tasks[].prompt]')" = '[5,"y"]' ]
}

@test "edit: an id with a past cannot be used again" {
	two_tasks
	with_jq 'del(.tasks[0])'
	viv-edit -q
	[ "$(board -c '[.tasks[].id]')" = '["b"]' ]
	with_jq '.tasks += [{"id":"a","prompt":"reborn"}]'
	unchanged viv-edit < /dev/null
	[ "$status" -eq 1 ]
	[[ "$output" == *"used before"* ]]
}

@test "edit: a task that is worked on cannot be removed" {
	two_tasks
	command -v viv-claim > /dev/null || skip "viv-claim is not there yet"
	viv-claim -c 1 -r somebody > line
	with_jq 'del(.tasks[0])'
	unchanged viv-edit < /dev/null
	[ "$status" -eq 77 ]
	kept
}

@test "edit: an editor that fails changes nothing" {
	two_tasks
	editor 'echo x > "$1"; exit 3'
	unchanged viv-edit < /dev/null
	[ "$status" -eq 1 ]
	[[ "$output" == *"exit status 3"* ]]
}

@test "edit: VISUAL goes before EDITOR and may carry arguments" {
	two_tasks
	editor 'exit 9'
	VISUAL='sed -i -e s/first/one/' viv-edit -q
	[ "$(board -r '.tasks[0].prompt')" = one ]
}

@test "edit: a dry run checks and changes no byte" {
	two_tasks
	with_jq '.tasks += [{"id":"c","prompt":"x"}]'
	unchanged viv-edit -n
	[ "$status" -eq 0 ]
	[[ "$output" == *"would be: 1 added"* ]]
	with_jq '.tasks += [{"id":"c","prompt":5}]'
	unchanged viv-edit -n < /dev/null
	[ "$status" -eq 1 ]
}

@test "edit: a damaged board is not opened" {
	printf '{"tasks":[' > "$W/world/mutable/queue.json"
	editor 'touch "$TMPDIR/../ran"'
	run viv-edit
	[ "$status" -eq 78 ]
	[ ! -e "$BATS_TEST_TMPDIR/ran" ]
}

@test "edit: the editor opens again on a terminal when one says y" {
	command -v script > /dev/null || skip "no script(1)"
	two_tasks
	editor 'if grep -q first "$1"; then sed -i "s/\"first\"/5/" "$1"; else sed -i "s/\"prompt\":5/\"prompt\":\"one\"/" "$1"; fi'
	printf 'y\n' | script -qec viv-edit /dev/null > out
	[ "$(board -r '.tasks[0].prompt')" = one ]
}

@test "edit: arguments are a usage error" {
	run viv-edit task-001
	[ "$status" -eq 2 ]
}
