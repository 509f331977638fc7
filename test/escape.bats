load helper

# Everything that a task might try, end to end: posted as by an editor, since viv-add
# would refuse some of it, and worked off by one resident. A secret is a word that no
# command contains, so wherever it turns up, it was read.

secret() { printf 'tRu7h-%s-%s' "$1" "$RANDOM$RANDOM$RANDOM"; }

plant() {
	local where=$1
	mkdir -p "$(dirname "$where")"
	secret "$(basename "$where")" | tee -a "$BATS_TEST_TMPDIR/secrets" >"$where"
	echo >>"$BATS_TEST_TMPDIR/secrets"
	echo >>"$where"
}

# A repository that tries to run something whatever git does in it.
hostile_repository() {
	local evil="$BATS_TEST_TMPDIR/tree/evil"
	printf '#!/bin/sh\ntouch %s/pwned\ncat %s\n' "$OUT" "$TOKEN" >"$evil"
	chmod +x "$evil"
	mkdir repo
	(
		cd repo
		git init -q .
		echo one >a.txt
		printf '* diff=evil filter=evil merge=evil\n' >.gitattributes
		git add . && git -c user.name=x -c user.email=x@x commit -qm one
		echo two >>a.txt
		for key in core.fsmonitor core.pager core.editor core.sshCommand core.askPass core.gitProxy \
		    diff.external diff.evil.command diff.evil.textconv filter.evil.clean filter.evil.smudge \
		    merge.evil.driver gpg.program credential.helper pager.log pager.diff sequence.editor; do
			git config "$key" "$evil"
		done
		git config log.showSignature true
		git config alias.x "!$evil"
		git config core.hooksPath "$BATS_TEST_TMPDIR/tree/hooks"
		cp -r . ../repo-outside
		git -C ../repo-outside config core.worktree "$OUT"
		cp -r . ../repo-include
		git -C ../repo-include config include.path "$TOKEN"
	) >/dev/null 2>&1
	mkdir hooks
	for h in post-checkout pre-commit post-index-change reference-transaction fsmonitor-watchman; do
		cp "$evil" "hooks/$h"
	done
}

# id, workdir (may be empty) and command of each attempt on a path, tab-separated.
attempts() {
	local n=0 f c
	# Every program that reads files, on every kind of secret.
	for f in "$TOKEN" "$JOURNAL" "$OUT/canary" link-token link-journal dir-link/canary /etc/shadow \
	    "/proc/self/root$TOKEN" "/proc/self/cwd/../outside/canary" ../outside/canary; do
		for c in cat 'head -n 1' 'tail -c 99' sort 'uniq -c' 'cut -c 1-' 'rg .' 'grep -a .' 'jq -R .' \
		    'diff /dev/null' 'sha256sum -c' 'wc -l' 'tr -d x <' 'git diff --no-index /dev/null'; do
			printf 'path-%d\ttree\t%s %s\n' $((n += 1)) "$c" "$f"
		done
	done
	while IFS= read -r c; do
		printf 'other-%d\ttree\t%s\n' $((n += 1)) "$c"
	done <<X
rg --no-ignore --hidden -a tRu7h $W
rg --follow --no-ignore --hidden tRu7h .
rg -uuu tRu7h $BATS_TEST_TMPDIR
rg --pre cat tRu7h .
rg --pre=$BATS_TEST_TMPDIR/tree/evil tRu7h .
rg -f $TOKEN $TOKEN
rg --search-zip tRu7h .
rg --hostname-bin $BATS_TEST_TMPDIR/tree/evil tRu7h .
grep -r tRu7h $W
grep -R tRu7h .
grep -f $TOKEN $TOKEN
find $W -name *token*
find $W -type f -exec cat {} +
find -L . -type f -size -9 -fprint $OUT/new
find . -name evil -execdir ./evil \\;
find $OUT -delete
find -files0-from $TOKEN
find $W/world/mutable/.swarm/journals -type f
ls -laR $W/meta $W/world/mutable/.swarm/journals
cat $W/meta/audit/execution_log.jsonl
cat $W/meta/audit/safety_audit.log
cat $W/world/physics/limits.json
cat $W/world/mutable/queue.json
cat $W/world/mutable/.swarm/identities/eve.json
cat /proc/1/environ /proc/self/environ
cat /proc/self/mountinfo /proc/self/root/proc/1/maps
cat /proc/self/fd/3 /proc/self/fd/4 /proc/self/fd/5 /dev/fd/6 /dev/fd/7
cat /dev/mem /dev/kmsg /proc/kcore
cat /proc/sysrq-trigger
cat $HOME/.ssh/id_rsa $HOME/.bash_history
jq -n --rawfile x $TOKEN \$x
jq -n '\$ENV'
jq -n 'env'
jq -n 'input_filename, \$__loc__' $TOKEN
jq -L $OUT -n 'import "canary" as \$x; \$x'
jq -n 'include "canary"; .' -L $OUT
jq --slurpfile x $TOKEN -n '\$x'
jq -f $TOKEN
date -f $TOKEN
date -r $TOKEN -s 2001-01-01
wc --files0-from=$TOKEN
du --files0-from=$TOKEN
sort --files0-from=$TOKEN
sort -o $OUT/canary /dev/null
sort -T $OUT -S 1b link-token
sort --compress-program=$BATS_TEST_TMPDIR/tree/evil /etc/services
sort --random-source=$TOKEN a
uniq a $OUT/canary
du -X $TOKEN .
stat -f -c %n $TOKEN
diff -r $W/meta /tmp
diff --from-file=$TOKEN a
cmp -l $TOKEN /dev/zero
./evil
evil
$BATS_TEST_TMPDIR/tree/evil
sh evil
env ./evil
cp $TOKEN .
ln $TOKEN here
ln -s $TOKEN here
tee $OUT/canary
touch $OUT/new
rm -rf $OUT
dd if=$TOKEN
tar cf - $W/meta
python3 -c 'print(open("$TOKEN").read())'
perl -pe 1 $TOKEN
awk 1 $TOKEN
sed p $TOKEN
xargs cat $TOKEN
bash -c 'cat $TOKEN'
cat $TOKEN | sort
cat < $TOKEN
echo \$(cat $TOKEN)
echo x > $OUT/canary
echo x >> $W/world/mutable/queue.json
curl file://$TOKEN
viv-release -a -r ada
viv-review approve other-1
viv-halt off
kill -9 1
X
	for c in status 'status -s' log 'log -p' 'log --stat' diff 'diff --cached' 'diff --stat' show 'show HEAD' \
	    'log --ext-diff -p' 'log --textconv -p' 'diff --textconv' 'diff --ext-diff' 'log --show-signature' 'grep one' \
	    'grep -O one' 'blame a.txt' 'ls-files' 'rev-parse --show-toplevel' branch tag 'describe --all' x \
	    '-c core.pager=./evil log' '-C ../.. status' '--git-dir=. log' 'config -l' 'commit -m x' 'checkout .' gc \
	    "log --output=$OUT/canary" 'diff --no-index a.txt '"$TOKEN" 'archive HEAD' 'cat-file --textconv HEAD:a.txt' \
	    'shortlog' 'reflog' 'submodule foreach ./evil' 'fetch --upload-pack=./evil .' 'stash list' 'worktree add x'; do
		printf 'git-%d\trepo\tgit %s\n' $((n += 1)) "$c"
	done
	for c in status log diff 'grep -r tRu7h' 'ls-files -o' 'show HEAD:canary'; do
		printf 'include-%d\trepo-include\tgit %s\n' $((n += 1)) "$c"
		printf 'outside-%d\trepo-outside\tgit %s\n' $((n += 1)) "$c"
	done
	# From the scratch directory, and in directories that a task must not name.
	for c in 'ls -la ../..' 'cat ../../../../meta/security/internal_execution_token.txt' 'cat ../../.swarm/journals/eve.jsonl' \
	    'find ../../.. -type f' 'rg -uuu tRu7h ../../../..' 'cat ../../results/control.1.json' 'du -a ../../../..'; do
		printf 'scratch-%d\t\t%s\n' $((n += 1)) "$c"
	done
	for f in / /etc "$W" "$W/meta/security" "$W/meta/audit" "$W/world/mutable/.swarm/journals" "$W/world/physics" "$OUT" \
	    "$BATS_TEST_TMPDIR/tree/dir-link" "$BATS_TEST_TMPDIR/tree/../outside" "$BATS_TEST_TMPDIR" relative /proc/self/root; do
		printf 'workdir-%d\t%s\trg -uuu -a tRu7h .\n' $((n += 1)) "$f"
	done
}

as_tasks() {
	jq -cR --arg tree "$BATS_TEST_TMPDIR/tree" 'split("\t") | {id: .[0], mode: "local", command: .[2], timeout: 10} +
	    if .[1] == "" then {} else {workdir: (if .[1] == "tree" then $tree elif .[1] | startswith("repo") then $tree + "/" + .[1] else .[1] end)} end'
}

# The texts of the policy's test, as far as JSON can hold them.
hostile_texts() {
	local n=0 text
	while IFS=$'\t' read -r text _; do
		text=$(printf '%b.' "$text")
		printf '%s' "${text%.}" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1 || continue
		printf '%s\0hostile-%d\0' "${text%.}" $((n += 1))
	done <"$FIXTURE/hostile-commands.tsv" | jq -cRs --arg tree "$BATS_TEST_TMPDIR/tree" '
	    split("\u0000") | [range(0; length - 1; 2) as $i | {id: .[$i + 1], mode: "local", command: .[$i], workdir: $tree}] | .[]'
}

state_of_the_rest() {
	(cd "$BATS_TEST_TMPDIR" && find outside tree world/meta/security world/world/physics world/world/mutable/.swarm \
	    world/world/mutable/queue.json -printf '%p %y %m %l %T@\n' | sort
	find outside tree world/meta/security world/world/physics world/world/mutable/.swarm -type f -exec sha256sum {} + | sort)
}

@test "escape: of hundreds of attempts none reads a secret, writes, or goes unrecorded" {
	OUT=$BATS_TEST_TMPDIR/outside TOKEN=$W/meta/security/internal_execution_token.txt
	JOURNAL=$W/world/mutable/.swarm/journals/eve.jsonl
	plant "$OUT/canary"
	plant "$OUT/dir/canary"
	plant "$TOKEN"
	plant "$W/meta/security/provider_key.txt"
	plant "$JOURNAL"
	plant "$W/world/mutable/.swarm/identities/eve.json"
	plant "$W/world/physics/secret.json"
	plant "$W/meta/audit/secret.log"
	[ ! -r /etc/shadow ] || sed -n 1p /etc/shadow >>"$BATS_TEST_TMPDIR/secrets"
	ln -s "$TOKEN" link-token
	ln -s "$JOURNAL" link-journal
	ln -s "$OUT" dir-link
	echo 'what anybody may read' >a
	hostile_repository
	{
		echo '{"id":"control","mode":"local","command":"cat a","workdir":"'"$PWD"'"}'
		echo '{"id":"control-git","mode":"local","command":"git log --oneline","workdir":"'"$PWD/repo"'"}'
		attempts | as_tasks
		hostile_texts
	} | jq -cs '{tasks: .}' >"$W/world/mutable/queue.json"
	total=$(jq '.tasks | length' "$W/world/mutable/queue.json")
	[ "$total" -ge 300 ]
	state_of_the_rest >"$BATS_TEST_TMPDIR/before"

	SECRET_IN_ENV=$(secret env) && export SECRET_IN_ENV
	echo "$SECRET_IN_ENV" >>"$BATS_TEST_TMPDIR/secrets"
	run viv-resident -e -r ada -j 4
	echo "$output" >"$BATS_TEST_TMPDIR/talk"
	[ "$status" -eq 0 ]

	# What may be read was read: the attempts ran at all.
	[ "$(history_of control)" = 'queued in_progress completed pending_review approved' ]
	jq -e '.result.stdout == "what anybody may read\n"' "$W/world/mutable/results/control.1.json"
	jq -e '.result.stdout | test(" one\n")' "$W/world/mutable/results/control-git.1.json"
	[ "$(find "$W/world/mutable/results" -type f | wc -l)" -ge 100 ]

	# The kernel was asked often, and said no.
	[ "$(grep -rl 'Permission denied' "$W/world/mutable/results" | wc -l)" -ge 70 ]

	# No secret anywhere that a task's output goes.
	[ "$(wc -l <"$BATS_TEST_TMPDIR/secrets")" -ge 9 ]
	run grep -rFf "$BATS_TEST_TMPDIR/secrets" "$W/world/mutable/results" "$W/world/mutable/library" \
	    "$W/meta/audit/execution_log.jsonl" "$W/meta/audit/safety_audit.log" "$BATS_TEST_TMPDIR/talk"
	[ "$status" -eq 1 ]
	# Nor what only the world's own files hold.
	run grep -rl 'world created' "$W/world/mutable/results"
	[ "$status" -eq 1 ]

	# Nothing was written.
	state_of_the_rest | diff "$BATS_TEST_TMPDIR/before" -
	[ ! -e "$OUT/pwned" ]

	# Each has its end; who was refused has no result but a reason; the audit has all of them.
	jq -c 'select(.final) | [.task_id, .status, .reason]' "$(log_file)" >"$BATS_TEST_TMPDIR/ends"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/ends")" -eq "$total" ]
	while IFS= read -r id; do
		[ -e "$W/world/mutable/results/$id.1.json" ] || echo "$id"
	done < <(jq -r '.tasks[].id' "$W/world/mutable/queue.json") >"$BATS_TEST_TMPDIR/refused"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/refused")" -ge 200 ]
	jq -rs --rawfile refused "$BATS_TEST_TMPDIR/refused" '($refused | split("\n")[:-1]) as $r |
	    (INDEX(.[]; .[0])) as $fin | $r[] | select($fin[.][1] != "failed" or ($fin[.][2] // "") == "")' \
	    "$BATS_TEST_TMPDIR/ends" >"$BATS_TEST_TMPDIR/wrong"
	[ ! -s "$BATS_TEST_TMPDIR/wrong" ]
	jq -r .task_id "$W/meta/audit/safety_audit.log" | sort -u >"$BATS_TEST_TMPDIR/audited"
	[ -z "$(comm -23 <(jq -r '.tasks[].id' "$W/world/mutable/queue.json" | sort -u) "$BATS_TEST_TMPDIR/audited")" ]
	[ -z "$(ls "$W/world/mutable/task_locks")" ]
	[ -z "$(ls "$W/world/mutable/work")" ]
	viv-log -V
}

@test "escape: the test would see a secret that was read" {
	mkdir -p "$BATS_TEST_TMPDIR/tree/open"
	plant "$BATS_TEST_TMPDIR/tree/open/canary"
	viv-add -q -m local -i a 'cat open/canary' >/dev/null
	viv-resident -e -r ada
	grep -rqFf "$BATS_TEST_TMPDIR/secrets" "$W/world/mutable/results"
	grep -qFf "$BATS_TEST_TMPDIR/secrets" "$(log_file)"
}
