#!/bin/bash
# test/stuck.sh PID SECONDS: beside the bats run PID, until it ends. A test that runs for
# longer, or a suite for six times as long, is printed with all its processes and killed:
# what it would have reported counts as failed.
set -u
run=$1 limit=$2

# Of the processes $2, $1 and its descendants: pid, seconds, state, where it waits, words.
# Of one that has just begun, ps may say -1 as an unsigned number.
tree() {
	awk -v root="$1" '
		{ pid = $1; parent[pid] = $2; age = $3 < 1e8 ? $3 : 0
		  $1 = $2 = $3 = ""; line[pid] = age "s" $0 }
		END {
			for (p in line) {
				for (q = p; q != root && q > 1; q = parent[q])
					;
				if (q == root)
					print p, line[p]
			}
		}' <<<"$2" | sort -n
}

too_old() {
	tree "$run" "$1" | awk -v limit="$limit" '
		$2 + 0 > limit && /bats-exec-test / || $2 + 0 > 6 * limit && /bats-exec-suite / { print $1 }'
}

for ((n = 0; ; n++)); do
	sleep 1
	kill -0 "$run" 2>/dev/null || exit 0
	((n % 10 == 9)) || continue
	now=$(ps -ewwo pid=,ppid=,etimes=,stat=,wchan:20=,args=)
	for p in $(too_old "$now"); do
		kill -0 "$p" 2>/dev/null || continue
		stuck=$(tree "$p" "$now")
		printf 'stuck, and killed:\n%s\n' "$stuck"
		cut -d' ' -f1 <<<"$stuck" | xargs kill -KILL 2>/dev/null
	done
done
