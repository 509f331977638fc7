load helper

pages() { printf '%s\n' "$REPO"/man/man?/*.[157]; }

# Plain text of a page, without overstriking.
plain() { mandoc -T ascii -O width=200 "$1" | sed 's/.\x08//g'; }

section() { plain "$1" | sed -n "/^$2\$/,/^[A-Z]/p" | sed '1d;/^[A-Z]/d'; }

# The flags in usage text on stdin: one a line, without those that every command has.
flags() {
	tr '[]|' '   ' | tr -s ' ' '\n' | sed -n 's/^-\([a-zA-Z0-9]\{1,\}\)$/\1/p' | fold -w 1 |
	    grep -v '[hC]' | sort -u | paste -sd' ' -
}

@test "man: every page is clean" {
	pages | xargs mandoc -Tlint -W warning
}

@test "man: every command has a page, and every page of section 1 a command" {
	diff <(cd "$BIN" && ls) <(cd "$REPO/man/man1" && ls | sed 's/\.1$//' | sort)
}

@test "man: the flags of -h are those of the synopsis" {
	for c in "$BIN"/viv*; do
		name=${c##*/}
		usage=$("$c" -h | flags)
		synopsis=$(section "$REPO/man/man1/$name.1" SYNOPSIS | flags)
		must test "$name: $usage" = "$name: $synopsis"
	done
}

@test "man: every flag of the synopsis is described" {
	for c in "$BIN"/viv-*; do
		page=$REPO/man/man1/${c##*/}.1
		for f in $("$c" -h | flags); do
			must grep -qE "^\.It Fl ($f( |\$)|.* Fl $f( |\$))" "$page"
		done
	done
}

@test "man: a reference leads to a page of ours or of the system" {
	for page in $(pages); do
		for ref in $(sed -n 's/^\.Xr \(viv[a-z-]*\) \([0-9]\).*/\1.\2/p;s/^\.It Xr \(viv[a-z-]*\) \([0-9]\).*/\1.\2/p' "$page"); do
			must test -e "$REPO/man/man${ref##*.}/$ref"
		done
	done
}

@test "man: the examples of every page run" {
	failed=0
	for page in $(pages); do
		name=${page##*/}
		script=$(section "$page" EXAMPLES | sed -n 's/^ *\$ //p')
		[ -n "$script" ] || continue
		dir=$BATS_TEST_TMPDIR/$name
		mkdir -p "$dir/tree/src"
		printf '# A tree\nto read\n' >"$dir/tree/README.md"
		printf 'int main(void) { return 0; }\n' >"$dir/tree/src/main.c"
		viv-init -q --read "$dir/tree" "$dir/world"
		if ! (cd "$dir/tree" && HOME=$dir VIV_ROOT=$dir/world EDITOR=true timeout 60 \
		    sh -e -c "$script" >"$dir/out" 2>&1 </dev/null); then
			failed=1
			printf '%s:\n%s\n--\n' "$name" "$script"
			tail -n 5 "$dir/out"
		fi
	done
	[ "$failed" -eq 0 ]
}
