# Damaged input for every reader: sourced by damage.bats.
ROUNDS=${DAMAGE_ROUNDS:-200}

# A good task line without escapes or spaces, as test/damage.c wants it.
good_line() {
	printf '{"id":"t%s","command":"true","mode":"local","priority":3,"tags":["a","b"],"n":{"k":"v"}%s}\n' "$1" "${EXTRA-}"
}

# Damaged lines, a good one behind each: 2 * ROUNDS lines.
damaged_lines() {
	local i
	for ((i = 0; i < ROUNDS; i++)); do
		good_line "$i" | "$BUILD/test/damage" -l "$i"
		echo
		good_line "$i"
	done
}

# One line of talk, which names the program and the place.
one_clear_line() {
	[ "$(wc -l <"$1")" -eq 1 ] || { echo "not one line:"; cat "$1"; return 1; }
	grep -qE "$2" "$1" || { echo "does not say where:"; cat "$1"; return 1; }
	if grep -q '[^[:print:]]' "$1"; then
		echo "unprintable bytes:"
		cat -v "$1"
		return 1
	fi
}
