# Each test has its own world $W, the commands under test first in PATH, and a fixed
# locale and time zone. VIV_BIN names another build (the sanitizers').
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BIN=${VIV_BIN:-$REPO/bin}
BUILD=${VIV_BUILD:-$REPO/build}
FIXTURE=$REPO/test/fixture
export REPO BIN BUILD FIXTURE
export TZ=UTC LC_ALL=C PATH="$BIN:$PATH"
unset VIV_NOW VIV_HOST NO_COLOR

# A world in $BATS_TEST_TMPDIR, exported as VIV_ROOT; the tests' own directory is readable.
make_world() {
	W=$BATS_TEST_TMPDIR/world
	export W VIV_ROOT=$W
	viv-init -q --read "$BATS_TEST_TMPDIR/tree" "$@" "$W"
}

# The world and, as the working directory, the tree that commands may read.
in_tree() {
	mkdir -p "$BATS_TEST_TMPDIR/tree"
	cd "$BATS_TEST_TMPDIR/tree" || return 1
	make_world
}

setup() { in_tree; }

# Fail with the words when the command does not succeed.
must() {
	"$@" || { echo "failed: $*" >&2; return 1; }
}

# Run until the command succeeds, at most 10 s (for an event of another process).
wait_until() {
	local i
	for i in $(seq 200); do
		"$@" && return 0
		sleep 0.05
	done
	echo "never became true: $*" >&2
	return 1
}

log_file() {
	printf '%s\n' "$W/meta/audit/execution_log.jsonl"
}

# Statuses of a task in the order of the log, one line.
history_of() {
	jq -r --arg id "$1" 'select(.task_id == $id) | .status' "$(log_file)" | paste -sd' ' -
}
