# Crashes and faults at every system call that changes a file, with test/killat.c:
# sourced by crash.bats. A scenario is a prepared world, a command, and a check.

# LeakSanitizer cannot work in a traced process.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

# Sanitized programs start slowly, so they are struck at every fourth call only.
STEP=1
[ -z "${VIV_ASAN-}" ] || STEP=4

# The world as it is now is where every run begins.
prepare() {
	rm -rf "$BATS_TEST_TMPDIR/prepared"
	cp -a "$W" "$BATS_TEST_TMPDIR/prepared"
}

restore() {
	rm -rf "$W"
	cp -a "$BATS_TEST_TMPDIR/prepared" "$W"
}

# Run with killat's options $1, call number $2; stdin from $IN when set; sets rc.
strike() {
	local options=$1 n=$2
	shift 2
	restore
	rc=0
	# shellcheck disable=SC2086 # options are words
	"$BUILD/test/killat" $options "$n" "$@" <"${IN:-/dev/null}" >"$BATS_TEST_TMPDIR/out" \
	    2>"$BATS_TEST_TMPDIR/err" || rc=$?
}

# crash_points CHECK CMD ...: SIGKILL on entry of each call in turn; after each CHECK
# must succeed. $OPTIONS: -f to count children's calls too. POINTS: how many there were.
crash_points() {
	local check=$1 n
	shift
	POINTS=0
	for ((n = 1; n < 2000; n += STEP)); do
		strike "${OPTIONS-}" "$n" "$@"
		[ "$rc" -ne 3 ] || break
		[ "$rc" -eq 137 ] || { echo "call $n: ended with $rc"; cat "$BATS_TEST_TMPDIR/err"; return 1; }
		POINTS=$n
		"$check" || { echo "killed at call $n of: $*"; return 1; }
	done
}

# fault_points ERRNO CHECK CMD ...: each call in turn fails; the command either copes
# (0) or says so in words, and CHECK must succeed; it is told the status as $1.
fault_points() {
	local errno=$1 check=$2 n
	shift 2
	POINTS=0
	for ((n = 1; n < 2000; n += STEP)); do
		strike "${OPTIONS-} -e $errno" "$n" "$@"
		# Before main the loader fails in its own words, with 127.
		[ "$rc" -ne 3 ] || break
		POINTS=$n
		if [ "$rc" -ge 128 ] || { [ "$rc" -ne 0 ] && [ ! -s "$BATS_TEST_TMPDIR/err" ]; }; then
			echo "call $n of: $*: $errno made it end with $rc, in these words:"
			cat "$BATS_TEST_TMPDIR/err"
			return 1
		fi
		"$check" "$rc" || { echo "$errno at call $n of: $* (status $rc)"; return 1; }
	done
}
