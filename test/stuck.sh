#!/bin/bash
# test/stuck.sh PID SECONDS: beside the bats run PID, until it ends. A test that runs for
# longer, or a suite for six times as long, is printed with all its processes and killed:
# what it would have reported counts as failed.
set -u
run=$1 limit=$2

# Descendants of the process $1, itself first: pid, seconds, state, where it waits, words.
tree() {
	ps -ewwo pid=,ppid=,etimes=,stat=,wchan:20=,args= | awk -v root="$1" '
		{ pid = $1; parent[pid] = $2; age = $3; $1 = $2 = $3 = ""; line[pid] = age "s" $0 }
		END {
			for (p in line) {
				for (q = p; q != root && q > 1; q = parent[q])
					;
				if (q == root)
					print p, line[p]
			}
		}' | sort -n
}

too_old() {
	tree "$run" | awk -v limit="$limit" '
		$2 + 0 > limit && /bats-exec-test / || $2 + 0 > 6 * limit && /bats-exec-suite / { print $1 }'
}

for ((n = 0; ; n++)); do
	sleep 1
	kill -0 "$run" 2>/dev/null || exit 0
	((n % 10 == 9)) || continue
	for p in $(too_old); do
		stuck=$(tree "$p")
		[ -n "$stuck" ] || continue
		printf 'stuck, and killed:\n%s\n' "$stuck"
		cut -d' ' -f1 <<<"$stuck" | xargs kill -KILL 2>/dev/null
	done
done
