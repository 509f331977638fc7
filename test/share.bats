load helper
load crash

# What viv-share writes, and where it never does. The model is a script that says $SAY.

setup() {
	in_tree
	M=$W/world/mutable
	SUGGESTIONS=$M/library/community_library/resident_suggestions
	export VIV_NOW=2030-01-31T08:09:10Z
}

T=$'# Idea\n\nWrite more tests.'

# An approved line of a model's answer: id, generation, identity, more members.
line() {
	jq -nc --arg id "$1" --argjson g "${2-1}" --arg i "${3-ada}" --arg t "${SAY-$T}" --argjson more "${4-null}" \
	    '{id:$id,prompt:"What next?",status:"approved",committed:true,result:{status:"completed",text:$t},
	    claim:({resident_id:"r1",generation:$g,attempt:1} + (if $i == "" then {} else {identity_id:$i} end))} + $more'
}

# What was written where, below world/mutable.
written() { (cd "$M" && find .swarm/journals library -type f | sort); }
check() { "$BUILD/test/artifact_test" check "$@"; }
sums() { (cd "$W" && find . -type f -exec sha256sum {} + | sort); }

@test "share: an approved answer leaves a journal entry and a suggestion of the form that is documented" {
	echo '{"id":"ada","name":"Ada L."}' >"$M/.swarm/identities/ada.json"
	out=$(line 'task 1' 3 | viv-share)
	[ "$(written | paste -sd' ' -)" = ".swarm/journals/ada_2030-01-31.md library/community_library/resident_suggestions/ada/20300131-080910_task_1.3.md" ]
	[ "$(jq -c .share <<<"$out")" = '{"journal":"world/mutable/.swarm/journals/ada_2030-01-31.md","doc":"world/mutable/library/community_library/resident_suggestions/ada/20300131-080910_task_1.3.md","repeated":false}' ]
	[ "$(jq -c 'del(.share)' <<<"$out")" = "$(line 'task 1' 3)" ]
	cat >want <<-END
		# Suggestion: task 1

		- generated_at: 2030-01-31T08:09:10.000000+00:00
		- task_id: task 1
		- generation: 3
		- identity_id: ada
		- identity_name: Ada L.

		## Prompt

		What next?

		## Suggestion

		$T
	END
	diff want "$SUGGESTIONS/ada/20300131-080910_task_1.3.md"
	diff <(sed '1s/Suggestion/Journal Entry/' want) "$M/.swarm/journals/ada_2030-01-31.md"
	[ "$(stat -c %a "$M/.swarm/journals/ada_2030-01-31.md")" = 600 ]
	viv-doctor -q
}

@test "share: a day's journal grows, with a rule between the entries" {
	line a | viv-share >/dev/null
	line b 2 | viv-share >/dev/null
	[ "$(grep -c '^# Journal Entry: ' "$M/.swarm/journals/ada_2030-01-31.md")" -eq 2 ]
	[ "$(grep -n -B2 -A2 '^---$' "$M/.swarm/journals/ada_2030-01-31.md" | cut -c4- | paste -sd'|' -)" = 'Write more tests.||---||# Journal Entry: b' ]
	VIV_NOW=2030-02-01T00:00:00Z viv-share >/dev/null < <(line c)
	[ "$(head -n 1 "$M/.swarm/journals/ada_2030-02-01.md")" = '# Journal Entry: c' ]
}

@test "share: only what was approved, committed and says something is published" {
	for change in '.status = "pending_review"' '.status = "failed"' '.status = "requeue"' '.status = "lost"' \
	    'del(.committed)' '.committed = false' '.result.text = " \n"' 'del(.result)' 'del(.claim)' 'del(.claim.generation)' \
	    '.id = "../x"' 'del(.id)' '.claim.generation = 0'; do
		line a | jq -c "$change" >in
		viv-share <in >out
		must diff in out
	done
	[ -z "$(written)" ]
	[ -z "$(ls "$M/.swarm/shares")" ]
}

@test "share: with docs-only mode off nothing is published" {
	for v in 0 false NO ' No '; do
		export VIVARIUM_MVP_DOCS_ONLY=$v
		must test "$("$BUILD/test/artifact_test" docs)" = off
		must test "$(line a | viv-share | jq -c .share)" = null
	done
	[ -z "$(written)" ]
	for v in '' 1 true yes off 'n o'; do
		export VIVARIUM_MVP_DOCS_ONLY=$v
		must test "$("$BUILD/test/artifact_test" docs)" = on
	done
	unset VIVARIUM_MVP_DOCS_ONLY
	[ "$("$BUILD/test/artifact_test" docs)" = on ]
}

@test "share: without a world every line passes as it is" {
	line a >in
	(cd / && env -u VIV_ROOT viv-share <"$OLDPWD/in") | diff in -
}

@test "share: a command's output is published where a document was asked for, and only there" {
	local='{"command":"ls -l","mode":"local","prompt":null,"result":{"stdout":"one\n```\ntwo\n","wall_s":1}}'
	[ "$(line a 1 ada "$local" | viv-share | jq -c .share)" = null ]
	[ -z "$(written)" ]
	path=library/community_library/swarm_docs/ls.md
	line a 1 ada "$(jq -c --arg p $path '.doc_path = $p' <<<"$local")" | viv-share >/dev/null
	[ "$(sed -n '/^## Prompt/,$p' "$M/$path" | paste -sd'|' -)" = '## Prompt||```|ls -l|```||## Suggestion||````|one|```|two|````' ]
}

@test "share: slugs are those of the reference" {
	n=0
	while IFS=$'\t' read -r in out; do
		must test "$("$BUILD/test/artifact_test" slug "$in")" = "$out"
		n=$((n + 1))
	done < <(jq -r '.slug[] | [.in, .out] | @tsv' "$FIXTURE/core-vectors.json")
	[ "$n" -ge 4 ]
	slug() { "$BUILD/test/artifact_test" slug "$1"; }
	[ "$(slug '')" = fallback ]
	[ "$(slug './ ../')" = fallback ]
	[ "$(slug "$(printf 'x%.0s' $(seq 200))" | tr -d '\n' | wc -c)" -eq 80 ]
	[ "$(slug $'a\n\tb')" = a_b ]
}

@test "share: identities whose slugs are the same have folders of their own" {
	own() { "$BUILD/test/artifact_test" owner "$1"; }
	[ "$(own oc_1234abcd)" = oc_1234abcd ]
	[ "$(own a_b)" = a_b ]
	for a in 'a b' a/b a+b _a_b. '' ../.. "$(printf 'x%.0s' $(seq 90))"; do own "$a"; done | sort >names
	[ "$(sort -u names | wc -l)" -eq 7 ]
	[ "$(grep -c -- '-$' names)" -eq 7 ]
	[ "$(grep -c / names)" -eq 0 ]
	# Nobody can be called what another's folder is called.
	while read -r name; do must test "$(own "$name")" != "$name"; done <names
}

@test "share: documents go where they may, and nowhere else" {
	d=library/community_library
	for p in $d/swarm_docs/x.md $d/swarm_docs/a/b/c.md library/swarm_docs/x.md $d/resident_suggestions/ada/x.md \
	    library/resident_suggestions/ada/deep/x.md "$d/swarm_docs/with blank é.md" $d/swarm_docs/..x/../x.md; do
		[[ $p != *..* ]] || continue
		must test "$(check ada "$p")" = yes
	done
	[ "$(check ada .swarm/journals/ada_2030-01-31.md)" = journal ]
	while IFS= read -r p; do
		p=$(printf '%b' "$p")
		[[ $(check ada "$p") = no:* ]] || { echo "allowed: $p"; return 1; }
	done <<-END
		/etc/passwd
		/etc/x.md
		$W/world/mutable/$d/swarm_docs/x.md
		../x.md
		x.md
		queue.json
		queue.md
		$d/x.md
		$d/swarm_docs.md
		$d/swarm_docs
		$d/swarm_docs/
		$d/swarm_docs/.md
		$d/swarm_docs/x.MD
		$d/swarm_docs/x.md/
		$d/swarm_docs/x.md.txt
		$d/swarm_docs/x
		$d/swarm_docs/../x.md
		$d/swarm_docs/../../../queue.md
		$d/swarm_docs/a/../../../../.swarm/journals/bob_2030-01-31.md
		$d/swarm_docs/./x.md
		$d/swarm_docs//x.md
		./$d/swarm_docs/x.md
		$d/swarm_docs/.hidden.md
		$d/swarm_docs/.git/x.md
		$d/swarm_docs/a\\nb.md
		$d/swarm_docs/a\\x01.md
		$d/swarm_docs/\\xff.md
		$d/swarm_docsx/x.md
		$d/resident_suggestions/x.md
		$d/resident_suggestions/bob/x.md
		$d/resident_suggestions/ada
		$d/resident_suggestions/adax/x.md
		$d/resident_suggestions/ada/../bob/x.md
		library/resident_suggestions/bob/x.md
		library/creative_works/x.md
		library/x.md
		world/mutable/$d/swarm_docs/x.md
		.swarm/x.md
		.swarm/identities/ada.md
		.swarm/journals
		.swarm/journals/x.md
		.swarm/journals/bob_2030-01-31.md
		.swarm/journals/ada_2030-01-31.md.md
		.swarm/journals/ada_2030-1-31.md
		.swarm/journals/ada_2030-01-31.jsonl
		.swarm/journals/ada.jsonl
		.swarm/journals/ada_b_2030-01-31.md
		.swarm/journals/ad_2030-01-31.md
		.swarm/journals/ADA_2030-01-31.md
		.swarm/journals/ada_2030-01-31/x.md
		.swarm/journals/../journals/bob_2030-01-31.md
		.swarm/journals/ada_../bob.md
		.swarm//journals/ada_2030-01-31.md
		./.swarm/journals/ada_2030-01-31.md
		.Swarm/journals/ada_2030-01-31.md
		~/x.md
		$d/swarm_docs/$(printf 'x%.0s' $(seq 300)).md
		$d/swarm_docs/$(printf 'a/%.0s' $(seq 30))x.md
		$(printf 'a/%.0s' $(seq 600))x.md
	END
	[ "$(check a .swarm/journals/a_b_2030-01-31.md)" != journal ]
	[ "$(check a_b .swarm/journals/a_b_2030-01-31.md)" = journal ]
}

@test "share: a place that is refused is named in the line and on stderr, and the default is used" {
	line a 1 ada '{"doc_path":".swarm/journals/bob_2030-01-31.md"}' | viv-share >out 2>err
	[ "$(jq -c .share.refused out)" = '{"path":".swarm/journals/bob_2030-01-31.md","why":"it is not a journal of this identity"}' ]
	grep -q "bob_2030-01-31.md.*not a journal of this identity" err
	[ "$(written | paste -sd' ' -)" = ".swarm/journals/ada_2030-01-31.md library/community_library/resident_suggestions/ada/20300131-080910_a.1.md" ]
	line b 1 ada '{"doc_path":17}' | viv-share 2>/dev/null | jq -e '.share.refused.why == "it is not a string"'
	# The first that says something counts, and what is empty says nothing.
	line c 1 ada '{"doc_path":"","artifact_path":null,"output_path":"library/swarm_docs/c.md"}' | viv-share | jq -e '.share.refused == null'
	[ -s "$M/library/swarm_docs/c.md" ]
	line d 1 ada '{"doc_path":"nowhere","output_path":"library/swarm_docs/d.md"}' | viv-share 2>/dev/null | jq -e .share.refused
	[ ! -e "$M/library/swarm_docs/d.md" ]
}

@test "share: no link leads out, symbolic or hard, in the middle or at the end" {
	out=$BATS_TEST_TMPDIR/outside
	mkdir "$out"
	echo secret >"$out/file.md"
	echo "bob's" >"$M/.swarm/journals/bob_2030-01-31.md"
	d=$M/library/community_library/swarm_docs
	ln -s "$out" "$d/dir"
	ln -s "$out/file.md" "$d/file.md"
	ln -s "$out/new.md" "$d/dangling.md"
	ln -s ../../../.swarm/journals "$d/journals"
	ln "$M/.swarm/journals/bob_2030-01-31.md" "$d/hard.md"
	mkdir "$d/directory.md"
	mkfifo "$d/fifo.md"
	touch "$d/plain"
	i=0
	for p in dir/x.md dir/file.md file.md dangling.md journals/bob_2030-01-31.md hard.md directory.md fifo.md plain/x.md; do
		for mode in overwrite append; do
			i=$((i + 1))
			line t$i 1 ada "{\"doc_path\":\"library/community_library/swarm_docs/$p\",\"doc_edit_mode\":\"$mode\"}" |
			    timeout 10 viv-share 2>/dev/null | jq -e '.share.refused.why | test("link")' >/dev/null || { echo "$p $mode"; return 1; }
		done
	done
	[ "$(cat "$out/file.md") $(ls "$out")" = "secret file.md" ]
	[ "$(cat "$M/.swarm/journals/bob_2030-01-31.md")" = "bob's" ]
}

@test "share: a journal that is a link is not written through, and the line goes on" {
	ln -s /etc/passwd "$M/.swarm/journals/ada_2030-01-31.md"
	sum=$(sha256sum /etc/passwd)
	run viv-share < <(line a)
	[ "$status" -eq 78 ]
	[[ "${lines[*]}" = *'"share":{"error":'* ]]
	[ "$sum" = "$(sha256sum /etc/passwd)" ]
}

@test "share: a task's document is overwritten or added to, as it asks" {
	p=library/community_library/swarm_docs/plan.md
	line a 1 ada "{\"doc_path\":\"$p\"}" | viv-share >/dev/null
	line b 1 bob "{\"doc_path\":\"$p\",\"doc_edit_mode\":\"append\"}" | viv-share >/dev/null
	[ "$(grep '^# ' "$M/$p" | grep -v Idea | paste -sd, -)" = '# Suggestion: a,# Suggestion: b' ]
	line c 1 ada "{\"doc_path\":\"$p\",\"doc_edit_mode\":\"overwrite\"}" | viv-share >/dev/null
	[ "$(grep '^# ' "$M/$p" | grep -v Idea | paste -sd, -)" = '# Suggestion: c' ]
}

@test "share: one's own journal is only ever added to, also as a document" {
	p=.swarm/journals/ada_2030-01-31.md
	line a | viv-share >/dev/null
	line b 1 ada "{\"doc_path\":\"$p\",\"doc_edit_mode\":\"overwrite\"}" | viv-share >/dev/null
	[ "$(grep -E '^# (J|S)' "$M/$p" | paste -sd, -)" = '# Journal Entry: a,# Journal Entry: b,# Suggestion: b' ]
}

@test "share: the same attempt is published once, the next one again" {
	line a 1 ada '{"doc_path":"library/swarm_docs/x.md","doc_edit_mode":"append"}' >in
	viv-share <in >/dev/null
	before=$(sums)
	for i in 1 2 3; do
		must test "$(VIV_NOW=2031-01-01Z viv-share <in | jq -r .share.repeated)" = true
	done
	[ "$before" = "$(sums)" ]
	line a 3 | viv-share >/dev/null
	[ "$(written | wc -l)" -eq 3 ]
	# Within the same second, in the same folder, the names differ by generation.
	line a 5 | viv-share >/dev/null
	[ "$(find "$SUGGESTIONS/ada" -name '20300131-080910_a.*.md' | sed 's/.*_//' | sort | paste -sd' ' -)" = "a.3.md a.5.md" ]
}

@test "share: tasks whose slugs are the same do not collide within a second" {
	for id in 'a b' 'a+b' 'a,b'; do line "$id" | viv-share >/dev/null; done
	[ "$(cd "$SUGGESTIONS/ada" && printf '%s\n' * | sort | paste -sd' ' -)" = \
	    "20300131-080910_a_b.1-1.md 20300131-080910_a_b.1-2.md 20300131-080910_a_b.1.md" ]
	[ "$(cat "$SUGGESTIONS"/ada/*.md | grep -c '^# Suggestion')" -eq 3 ]
}

@test "share: another result of an attempt that was published is refused" {
	line a | viv-share >/dev/null
	before=$(sums)
	SAY=other run viv-share < <(SAY=other line a)
	[ "$status" -eq 78 ]
	[ "$before" = "$(sums)" ]
}

@test "share: without an identity it is resident_unknown's" {
	line a 1 '' | viv-share >/dev/null
	[ -s "$M/.swarm/journals/resident_unknown_2030-01-31.md" ]
	[ -d "$SUGGESTIONS/resident_unknown" ]
	grep -q '^- identity_id: resident_unknown$' "$M/.swarm/journals/resident_unknown_2030-01-31.md"
}

@test "share: what is in a bullet stays on its line, and an empty prompt is _none_" {
	jq -nc '{id:"x",name:"A\n- task_id: forged"}' >"$M/.swarm/identities/ada.json"
	line a 1 ada '{"prompt":null}' | viv-share >/dev/null
	[ "$(grep -c '^- task_id' "$M/.swarm/journals/ada_2030-01-31.md")" -eq 1 ]
	grep -A2 '^## Prompt' "$M/.swarm/journals/ada_2030-01-31.md" | grep -qx '_none_'
}

@test "share: a rejected attempt leaves nothing, an approval by a person is published from its line" {
	unset VIV_NOW
	viv-add -q -i a -m local --review human 'echo hi' >/dev/null 2>&1
	jq -nc '{id:"b",command:"echo hi",mode:"local",review:"human",doc_path:"library/swarm_docs/b.md"}' | viv-add -q 2>/dev/null
	viv-claim -e -r ada -i ada -c 2 | viv-log | viv-cycle | viv-log | viv-review | viv-log | viv-share >/dev/null
	[ -z "$(written)" ]
	viv-review approve b | viv-share | jq -e '.share.repeated == false'
	[ -s "$M/library/swarm_docs/b.md" ]
	viv-review reject a | viv-share >/dev/null
	[ "$(written | wc -l)" -eq 2 ]
}

@test "share: with ids it publishes what was approved and not shared, once" {
	unset VIV_NOW
	for id in b c; do
		jq -nc --arg id $id '{id:$id,command:"echo hi",mode:"local",review:(if $id == "c" then "human" else "critic" end),doc_path:"library/swarm_docs/\($id).md"}' | viv-add -q 2>/dev/null
	done
	viv-claim -e -r ada -c 2 | viv-log | viv-cycle | viv-log | viv-review | viv-log >/dev/null
	viv-review -q approve c
	run viv-share b c nobody
	[ "$status" -eq 1 ]
	[ -s "$M/library/swarm_docs/b.md" ]
	[ -s "$M/library/swarm_docs/c.md" ]
	[ "$(viv-share b | jq -r .share.repeated)" = true ]
	jq -nc '{id:"d",command:"echo hi",mode:"local",doc_path:"library/swarm_docs/d.md"}' | viv-add -q 2>/dev/null
	jq -nc '{id:"e",command:"echo no document"}' | viv-add -q 2>/dev/null
	viv-claim -e -r ada -c 2 | viv-log | viv-cycle | viv-log | viv-review | viv-log >/dev/null
	[ "$(viv-share -a | jq -r .id)" = d ]
	[ -z "$(viv-share --all)" ]
	run viv-share -a d
	[ "$status" -eq 2 ]
	sed -i s/hi/ho/ "$M/results/b.1.json"
	run viv-share b
	[ "$status" -eq 78 ]
}

@test "share: eight at once write each entry whole and once" {
	for i in $(seq 8); do
		line t$i 1 ada '{"doc_path":"library/swarm_docs/all.md","doc_edit_mode":"append"}' | tee in.$i | viv-share >/dev/null &
	done
	for i in $(seq 8); do
		line same 1 ada | viv-share >/dev/null &
	done
	wait
	j=$M/.swarm/journals/ada_2030-01-31.md
	[ "$(grep '^# Journal Entry' "$j" | sort | uniq -c | awk '$1 == 1' | wc -l)" -eq 9 ]
	[ "$(grep -c '^# Suggestion' "$M/library/swarm_docs/all.md")" -eq 8 ]
	[ "$(grep -c '^---$' "$j")" -eq 8 ]
	[ "$(find "$SUGGESTIONS/ada" -type f | wc -l)" -eq 1 ]
}

# Whatever happened, doing it again makes it whole and nothing is there twice.
again_is_whole() {
	viv-share <"$IN" >"$BATS_TEST_TMPDIR/again" || return 1
	[ "$(grep -c '^# Journal Entry: a' "$M/.swarm/journals/ada_2030-01-31.md")" = 1 ] || { cat "$M/.swarm/journals/ada_2030-01-31.md"; return 1; }
	[ "$(grep -c '^# Journal Entry: first' "$M/.swarm/journals/ada_2030-01-31.md")" = 1 ] || return 1
	[ "$(grep -c '^# Suggestion: a' "$DOC")" = 1 ] || { cat "$DOC"; return 1; }
	tail -n 1 "$DOC" | grep -qx 'Write more tests.' || return 1
	[ "$(jq -r .done "$M/.swarm/shares/a.1.json")" = true ] || return 1
	viv-doctor -q || { viv-doctor -q -r && viv-doctor -q; }
}

@test "share: SIGKILL at any call is made good by the next time" {
	line first 1 ada '{"doc_path":"library/swarm_docs/x.md"}' | viv-share >/dev/null
	line a 1 ada '{"doc_path":"library/swarm_docs/x.md","doc_edit_mode":"append"}' >"$BATS_TEST_TMPDIR/in"
	export IN=$BATS_TEST_TMPDIR/in DOC=$M/library/swarm_docs/x.md
	prepare
	crash_points again_is_whole viv-share
	[ "$POINTS" -ge 10 ]
	jq -c '.doc_path = ".swarm/journals/ada_2030-01-31.md"' "$IN" >"$IN.2"
	IN=$IN.2 DOC=$M/.swarm/journals/ada_2030-01-31.md
	crash_points again_is_whole viv-share
	[ "$POINTS" -ge 10 ]
}

@test "share: a full disk at any call is said, and made good by the next time" {
	line first 1 ada '{"doc_path":"library/swarm_docs/x.md"}' | viv-share >/dev/null
	line a 1 ada '{"doc_path":"library/swarm_docs/x.md","doc_edit_mode":"append"}' >"$BATS_TEST_TMPDIR/in"
	export IN=$BATS_TEST_TMPDIR/in DOC=$M/library/swarm_docs/x.md
	prepare
	fault_points ENOSPC again_is_whole viv-share
	[ "$POINTS" -ge 10 ]
}

@test "share: a torn entry is completed, not repeated" {
	line a | viv-share >/dev/null
	j=$M/.swarm/journals/ada_2030-01-31.md
	cp "$j" whole
	for n in 0 1 30 100; do
		head -c $n whole >"$j"
		jq '.done = false' "$M/.swarm/shares/a.1.json" >plan
		cp plan "$M/.swarm/shares/a.1.json"
		line a | viv-share >/dev/null
		must diff whole "$j"
	done
}

@test "share: wrong usage ends with 2, damaged input with 1, lost output with 74" {
	run viv-share -x
	[ "$status" -eq 2 ]
	run sh -c 'echo "{" | viv-share'
	[ "$status" -eq 1 ]
	run sh -c 'echo "{}" | viv-share >/dev/full'
	[ "$status" -eq 74 ]
	run viv-share nobody
	[ "$status" -eq 1 ]
	VIVARIUM_MVP_DOCS_ONLY=0 run viv-share nobody
	[ "$status" -eq 1 ]
	for damage in '{' '' '[1]'; do
		printf %s "$damage" >"$M/.swarm/shares/a.1.json"
		run viv-share < <(line a)
		[ "$status" -eq 78 ]
		[[ $output = *"shares/a.1.json'"* ]]
	done
}

@test "share: viv-doctor names what was published in part, and a damaged plan" {
	local plan=$M/.swarm/shares/a.1.json
	doctor() { VIV_NOW=$(date -u -d "$1" +%FT%TZ) viv-doctor; }
	line a | viv-share >/dev/null
	jq '.done = false' "$plan" >plan
	cp plan "$plan"
	[ -z "$(doctor now | grep -F a.1.json)" ]	# somebody may be at it
	doctor '2 minutes' | grep -qx 'note published in part: world/mutable/.swarm/shares/a.1.json: viv-share -a completes it'
	line a | viv-share >/dev/null
	[ -z "$(doctor '2 minutes' | grep -F a.1.json)" ]
	echo '{' >"$plan"
	run doctor '2 minutes'
	[ "$status" -eq 78 ]
	[[ $output = *'error damaged plan'*a.1.json* ]]
}
