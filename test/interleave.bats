# Two processes, one of which stands still before each of its calls in turn while the
# other runs from beginning to end: every order of the two that a stop can bring about.

load helper
load crash

bats_require_minimum_version 1.5.0

O() { printf '%s\n' "$BATS_TEST_TMPDIR/$1"; }

task() { viv-add -q -m local -i "$@" true >/dev/null; }

# interleave CHECK SCRIPT CMD ...: SCRIPT runs before each call of CMD; then CHECK.
interleave() {
	local check=$1 script=$2 n
	shift 2
	for ((n = 1; n < 500; n += STEP)); do
		restore
		rm -f "$(O other)" "$(O other2)"
		rc=0
		"$BUILD/test/killat" -x "$script" "$n" "$@" <"${IN:-/dev/null}" >"$(O out)" 2>"$(O err)" || rc=$?
		[ "$rc" -ne 3 ] || break
		"$check" || { echo "at call $n of: $*"; show; return 1; }
	done
	POINTS=$((n - 1))
	[ "$POINTS" -ge 3 ]
}

show() {
	local f
	for f in out err other other2; do
		[ ! -s "$(O $f)" ] || { echo "$f:"; cut -c 1-300 "$(O $f)"; }
	done
	ls "$W/world/mutable/task_locks"
	jq -c '[.task_id,.status,.generation,.final,.resident_id]' "$(log_file)"
}

other() { printf '%s </dev/null >%s 2>%s' "$1" "$(O other)" "$(O other2)"; }

# Which of the claims printed in the files $@ are good?
good_claims() {
	local f
	for f in "$@"; do
		[ -s "$f" ] || continue
		jq -r '[.id, .claim.generation, .claim.token] | @tsv' "$f"
	done | while read -r id gen token; do
		lock=$W/world/mutable/task_locks/$id.lock
		next=$lock.$((gen + 1))
		[ "$gen" -eq 1 ] || lock=$lock.$gen
		if [ ! -e "$next" ] && [ "$(jq -r .token "$lock" 2>/dev/null)" = "$token" ]; then echo "$id"; fi
	done
}

# A printed claim is good, and one of the two got it.
one_claim() {
	local printed good
	printed=$(cat "$(O out)" "$(O other)" 2>/dev/null | grep -c '"claim"')
	good=$(good_claims "$(O out)" "$(O other)" | wc -l)
	[ "$printed" -eq 1 ] || { echo "$printed claims were printed"; return 1; }
	[ "$good" -eq 1 ] || { echo "the claim that was printed does not hold"; return 1; }
}

# The claim of a process that is dead.
dead_claim() {
	bash -c 'viv-claim -c 1 -r dead -P $$ "$@"' - "$@" >"$(O line)"
	[ -s "$(O line)" ]
}

requeue() { jq -c '.status = "requeue" | .events = [{"status":"requeue","reason":"x","counted":false,"final":true}]'; }

@test "interleave: two claim one free task" {
	task a
	prepare
	interleave one_claim "$(other 'viv-claim -c 1 -r bob')" viv-claim -c 1 -r ann
}

@test "interleave: two take over one dead claim" {
	task a
	dead_claim
	viv-log <"$(O line)" >/dev/null
	prepare
	interleave one_claim "$(other 'viv-claim -c 1 -r bob')" viv-claim -c 1 -r ann
}

@test "interleave: two find an end that missed the log" {
	task a
	dead_claim
	requeue <"$(O line)" >"$(O end)"
	restore_slot_without_line
	interleave one_claim "$(other 'viv-claim -c 1 -r bob')" viv-claim -c 1 -r ann
}

# The end's slot is there, its line is not: viv-log is killed at the first call after the link.
restore_slot_without_line() {
	local n
	prepare
	for ((n = 1; n < 30; n++)); do
		IN=$(O end) strike '' "$n" viv-log
		if [ -e "$W/world/mutable/task_locks/a.lock.2" ]; then break; fi
	done
	[ "$(jq -r .kind "$W/world/mutable/task_locks/a.lock.2")" = free ]
	run -1 grep -q requeue "$(log_file)"
	prepare
}

@test "interleave: one claims what another is just giving back" {
	task a
	viv-claim -c 1 -r ann >"$(O line)"
	requeue <"$(O line)" >"$(O end)"
	prepare
	IN=$(O end) interleave claim_survives "$(other 'viv-claim -c 1 -r bob')" viv-log
	[ "$SEEN" -ge 1 ]
}

# bob's claim, if he got one, is not swept away with the old chain.
claim_survives() {
	SEEN=${SEEN:-0}
	[ -s "$(O other)" ] || return 0
	SEEN=$((SEEN + 1))
	[ "$(good_claims "$(O other)")" = a ]
}

@test "interleave: a claim is taken over while its line is on the way to viv-cycle" {
	task a
	dead_claim
	prepare
	for ((n = 1; n < 50; n++)); do
		strike '' "$n" viv-claim -c 1 -r ann
		[ ! -e "$W/world/mutable/task_locks/a.lock.2" ] || break
	done
	# Call n-1 is the link, n-3 makes the file: the owner has been found dead by then.
	for ((n -= 3, end = n + 2; n <= end; n++)); do
		restore
		"$BUILD/test/killat" -x "viv-cycle <$(O line) >$(O other) 2>$(O other2)" "$n" viv-claim -c 1 -r ann >"$(O out)"
		[ "$(grep -c '"claim"' "$(O out)")" -eq 1 ]
		[ "$(jq -r .status "$(O other)")" = lost ] || { echo "at call $n both have it"; show; false; }
	done
}

@test "interleave: two run what must run alone" {
	task a --serial
	task b --serial
	prepare
	interleave one_alone "$(other 'viv-claim -c 1 -r bob')" viv-claim -c 1 -r ann
}

# At most one; none when each saw the other just trying.
one_alone() {
	local n
	n=$(cat "$(O out)" "$(O other)" 2>/dev/null | grep -c '"claim"')
	[ "$n" -le 1 ] || { echo "$n run alone"; return 1; }
}

@test "interleave: two people decide about one task" {
	viv-add -q -m local -i a --review human true >/dev/null
	viv-claim -c 1 -r ann | viv-log | viv-cycle | viv-log | viv-review | viv-log >/dev/null
	prepare
	interleave one_decision "$(other 'viv-review -b bob reject a')" viv-review -b eve approve a
}

one_decision() {
	local finals said
	finals=$(jq -r 'select(.final and (.review_verdict != null) and .status != "pending_review") | .status' "$(log_file)" | wc -l)
	[ "$finals" -eq 1 ] || { echo "$finals decisions"; return 1; }
	said=$(jq -r 'select(.final) | .status' "$(log_file)" | tail -n 1)
	if [ "$said" = approved ]; then [ "$rc" -eq 0 ]; else [ "$rc" -ne 0 ]; fi
}
