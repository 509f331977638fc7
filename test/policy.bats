# The parts of the guard that need no command: words, rules, working directory, halt.

load helper

# A world by hand, where one is needed at all.
setup() {
	W=$BATS_TEST_TMPDIR/world
	mkdir -p "$W/world/mutable/.swarm"
	echo '{}' > "$W/world/mutable/queue.json"
}

@test "policy: hostile commands are refused, harmless ones pass, damage is noticed" {
	run "$BUILD/test/policy_test" "$REPO/share/policy.json" \
	    "$FIXTURE/hostile-commands.tsv" "$FIXTURE/harmless-commands.tsv"
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "policy: the test itself notices when the tables are swapped" {
	run "$BUILD/test/policy_test" "$REPO/share/policy.json" \
	    "$FIXTURE/harmless-commands.tsv" "$FIXTURE/hostile-commands.tsv"
	[ "$status" -eq 1 ]
}

@test "halt: nothing there means running, claiming, no pace" {
	[ "$("$BUILD/test/halt_test" "$W")" = "running <> claiming 0" ]
}

@test "halt: the reason is the person's, or says that there is a switch" {
	k=$W/world/mutable/.swarm/kill_switch.json
	echo '{"halt":true,"reason":"fire"}' > "$k"
	[[ $("$BUILD/test/halt_test" "$W") == "halted <fire> "* ]]
	echo '{"halt":true,"reason":null}' > "$k"
	[[ $("$BUILD/test/halt_test" "$W") == "halted <halted by the kill switch> "* ]]
	echo '{"halt":false,"reason":"fire"}' > "$k"
	[[ $("$BUILD/test/halt_test" "$W") == "running <> "* ]]
	echo '{"halt":1}' > "$k"
	[[ $("$BUILD/test/halt_test" "$W") == "halted <'world/mutable/.swarm/kill_switch.json': "*"> "* ]]
	echo '{"halt":true' > "$k"
	[[ $("$BUILD/test/halt_test" "$W") == "halted <'world/mutable/.swarm/kill_switch.json': "*"> "* ]]
}

@test "halt: PAUSE counts as present whatever it is" {
	: > "$W/world/mutable/PAUSE"
	[[ $("$BUILD/test/halt_test" "$W") == *" paused "* ]]
	rm "$W/world/mutable/PAUSE"
	ln -s /nonexistent "$W/world/mutable/PAUSE"
	[[ $("$BUILD/test/halt_test" "$W") == *" paused "* ]]
}

@test "halt: the pace is a number from 0 to 300 or an error" {
	p=$W/world/mutable/.swarm/runtime_speed.json
	for v in 0 2.5 300; do
		echo '{"wait_seconds":'"$v"'}' > "$p"
		[[ $("$BUILD/test/halt_test" "$W") == *" claiming $v" ]]
	done
	echo '{"updated_at":"x"}' > "$p"
	[[ $("$BUILD/test/halt_test" "$W") == *" claiming 0" ]]
	for v in -1 300.5 '"5"' null '[]'; do
		echo '{"wait_seconds":'"$v"'}' > "$p"
		[[ $("$BUILD/test/halt_test" "$W") == *" claiming -78 'world/mutable/.swarm/runtime_speed.json'"* ]]
	done
	echo '{' > "$p"
	[[ $("$BUILD/test/halt_test" "$W") == *" claiming -78 "* ]]
}
