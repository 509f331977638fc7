load helper

@test "task: prompts, boards, ids, checks, splices and cycles are as documented" {
	run "$BUILD/test/task_test" "$FIXTURE"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[-1]}" = ok ]
}
