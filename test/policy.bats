# The parts of the policy that need no command: words, rules, working directory.

load helper

# No world: what is tested here is pure.
setup() {
	make -s -C "$REPO" B="$BUILD" BIN="$BIN" "$BUILD/test/policy_test"
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
