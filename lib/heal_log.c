/*
 * heal_log: what the log, the slots and the results say of each other.
 *
 * The log is the truth and is only ever appended to: by the event a crash kept out of
 * it, which the slot still carries; by a requeue for an owner that is dead. A broken
 * audit chain and a result that is not what the log says are reported: no repair
 * could be told from the tampering it covers up.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "commit.h"
#include "file.h"
#include "heal.h"
#include "json.h"
#include "segment.h"
#include "sweep.h"

enum { SETTLE_MS = 200, RESULT_MAX = 64 << 20, RESULT_TRIES = 64 };

/* --- the log itself --- */

static void
check_tail(struct heal *h, const char *segment)
{
	char *path = mem_fmt("%s/%s", WORLD_AUDIT, segment);
	cJSON *ev;
	struct err e;
	int rc = HEAL_LATER;

	if (strcmp(segment, h->log.own) != 0) {
		heal_say(h, HEAL_NOTE, "torn last line", path,
		    "the host that writes it sets it aside");
	} else {
		if (h->repair) {
			ev = log_event("_world", "viv-doctor", "queued", 0);
			json_set_str(ev, "reason", "repaired");
			rc = log_append(&h->log, &ev, 1, &e);
			if (rc == 0)
				rc = log_sync(&h->log, &e);
			cJSON_Delete(ev);
		}
		heal_found(h, rc, &e, "torn last line", path,
		    "the next append or viv-doctor -r sets it aside",
		    "set aside in execution_log.torn");
	}
	free(path);
}

static void
check_tails(struct heal *h)
{
	char **names;
	size_t n;

	if (log_segments(h->w, &names, &n, NULL) != 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (segment_is_rotated(names[i]) || !chain_torn(h->log.dir, names[i]))
			continue;
		clock_sleep_ms(SETTLE_MS);	/* a write may be under way */
		if (chain_torn(h->log.dir, names[i]))
			check_tail(h, names[i]);
	}
	segment_names_free(names, n);
}

static void
check_chain(struct heal *h)
{
	struct chain_report r;
	struct err e;
	char *where;

	if (chain_verify(h->w, &r, &e) != 0) {
		heal_say(h, HEAL_ERROR, "unreadable log", WORLD_AUDIT, e.msg);
	} else if (!r.ok) {
		where = mem_fmt("%s/%s:%lu", WORLD_AUDIT, r.segment, r.line);
		heal_say(h, HEAL_ERROR, "broken audit chain", where, r.what);
		free(where);
	}
}

void
heal_log(struct heal *h)
{
	struct err e;

	if (log_open(&h->log, h->w, &e) != 0) {
		heal_say(h, HEAL_ERROR, "no log", WORLD_AUDIT, e.msg);
		return;
	}
	h->have_log = true;
	check_tails(h);
	check_chain(h);
	if (fold_read(&h->fold, &h->log, false, &e) != 0)
		heal_say(h, HEAL_ERROR, "unreadable log", WORLD_AUDIT, e.msg);
}

/* --- slots --- */

/* End the attempt of an owner that does not answer any more. */
static int
give_back(struct heal *h, const char *id, enum slot_verdict v, struct err *e)
{
	const struct fold_task *t = fold_get(&h->fold, id);
	long at = h->have_board ? board_find(&h->board, id) : -1;
	int max = at >= 0 ? h->board.v[at].max_attempts : TASK_ATTEMPTS, rc;
	cJSON *ev = json_new();

	if (v == SLOT_DEAD && t != NULL && t->attempts >= max) {
		json_set_str(ev, "status", "failed");
		json_set_str(ev, "reason", "owner dead, no attempt left");
	} else {
		json_set_str(ev, "status", "requeue");
		json_set_str(ev, "reason", v == SLOT_DEAD ? "owner dead" : "lease expired");
		if (v == SLOT_EXPIRED)
			json_set_bool(ev, "counted", false);
	}
	rc = commit_decide(&h->log, id, "viv-doctor", fold_base(t), ev, NULL, e);
	cJSON_Delete(ev);
	return rc;
}

static void
check_claim(struct heal *h, const struct slots_one *top, const struct slot *s)
{
	enum slot_verdict v = slot_judge(h->w, top->id, s);
	char *path, *what;
	struct err e;
	int rc = HEAL_LATER;

	if (v == SLOT_HELD || top->id[0] == '_')
		return;
	path = slots_path(top);
	what = mem_fmt("%s of '%s'", v == SLOT_DEAD ? "claim of a dead process" : "expired claim",
	    s->resident);
	if (h->repair)
		rc = give_back(h, top->id, v, &e);
	heal_found(h, rc, &e, what, path, "will be taken over, or released by viv-doctor -r",
	    "released");
	free(what);
	free(path);
}

static void
check_ended(struct heal *h, struct slots *s, size_t i, size_t end, enum slots_state state)
{
	const struct slots_one *top = &s->v[end - 1];
	char *path = slots_path(top);
	struct err e;
	int rc = HEAL_LATER;

	if (state == SLOTS_BROKEN) {
		heal_say(h, HEAL_ERROR, "slot without its event", path,
		    "nobody knows how the attempt ended: remove it by hand to try again");
	} else if (state == SLOTS_UNLOGGED) {
		if (h->repair) {
			rc = commit_repair(&h->log, top->id, top->number, (struct log_mark){0, 0},
			    &e);
			rc = rc > 0 ? 0 : rc;
		}
		heal_found(h, rc, &e, "event missing in the log", path,
		    "the next claim or viv-doctor -r adds it",
		    "added");
	} else if (!h->w->shared) {
		if (h->repair) {
			rc = sweep_sync(h->w, &e);
			if (rc == 0)
				slots_remove(h->w, s, i, end, false);
		}
		heal_found(h, rc, &e, "slot of an attempt that has ended", path,
		    "viv-doctor -r removes it",
		    "removed");
	}
	free(path);
}

/* Look at all chains; early: only find out whether some look ended. */
static bool
look(struct heal *h, struct slots *s, bool early)
{
	bool ended = false;

	for (size_t i = 0, end; i < s->n; i = end) {
		struct slot top = {0};
		enum slots_state state;

		end = slots_end(s, i);
		state = slots_judge(h->w, &h->fold, s->v[end - 1].id, s->v[end - 1].number, &top);
		if (state == SLOTS_NONE || (s->v[end - 1].id[0] == '_' && state == SLOTS_LIVE))
			continue;
		ended |= state != SLOTS_LIVE;
		if (!early && state == SLOTS_LIVE)
			check_claim(h, &s->v[end - 1], &top);
		else if (!early)
			check_ended(h, s, i, end, state);
	}
	return ended;
}

void
heal_slots(struct heal *h)
{
	struct slots s;
	struct err e;
	int rc;

	if (!h->have_log)
		return;
	rc = slots_read(h->w, &s, &e);
	if (rc == 0)
		rc = fold_read(&h->fold, &h->log, false, &e);
	/* What is just being committed looks like a crash for a moment. */
	if (rc == 0 && look(h, &s, true)) {
		clock_sleep_ms(SETTLE_MS);
		rc = fold_read(&h->fold, &h->log, false, &e);
	}
	if (rc == 0)
		look(h, &s, false);
	else
		heal_say(h, HEAL_ERROR, "unreadable slots", WORLD_LOCKS, e.msg);
	slots_free(&s);
}

/* --- results --- */

struct claimed {
	int64_t generation;
	char sha256[FILE_SHA256];
};

/* The newest line of each task that names a result. */
static int
collect_result(const struct log_line *line, void *arg)
{
	struct scan obj = scan_text(line->p, line->len), sha;
	struct fold *of = arg;
	struct fold_task *t;
	struct claimed *c;
	int64_t generation;
	char *id;

	if (memmem(line->p, line->len, "\"result_sha256\"", 15) == NULL)
		return 0;
	sha = scan_get(obj, "result_sha256");
	generation = scan_int(scan_get(obj, "generation"), 0);
	id = scan_dup(scan_get(obj, "task_id"));
	if (id != NULL && sha.kind == '"' && generation > 0) {
		t = fold_add(of, id);
		if (t->user == NULL)
			t->user = mem_zero(1, sizeof(struct claimed));
		c = t->user;
		if (generation >= c->generation) {
			c->generation = generation;
			scan_copy(sha, c->sha256, sizeof(c->sha256));
		}
	}
	free(id);
	return 0;
}

/* The result file of that attempt, or of the one that a later decision was about. */
static void
check_result(struct heal *h, const char *id, const struct claimed *c)
{
	char *path = mem_fmt("%s/%s.%" PRId64 ".json", WORLD_RESULTS, id, c->generation);
	struct buf text = {0};
	char sha[FILE_SHA256];
	struct err e;
	int rc = file_read(h->w->fd, path, RESULT_MAX, &text, &e);
	int64_t last = c->generation > RESULT_TRIES ? c->generation - RESULT_TRIES : 0;

	for (int64_t g = c->generation - 1; rc == -VIV_NO && g > last; g--) {
		char *older = mem_fmt("%s/%s.%" PRId64 ".json", WORLD_RESULTS, id, g);

		rc = file_read(h->w->fd, older, RESULT_MAX, &text, &e);
		free(older);
	}
	if (rc == -VIV_NO) {
		heal_say(h, HEAL_ERROR, "missing result", path,
		    "the log names it, and there is no copy");
	} else if (rc != 0) {
		heal_say(h, HEAL_ERROR, "unreadable result", path, e.msg);
	} else {
		file_sha256(text.p != NULL ? text.p : "", text.len, sha);
		if (strcmp(sha, c->sha256) != 0)
			heal_say(h, HEAL_ERROR, "changed result", path,
			    "it is not what the log says was produced");
	}
	buf_free(&text);
	free(path);
}

void
heal_results(struct heal *h)
{
	struct fold of = {0};
	struct log again;
	struct err e;
	int rc;

	if (!h->have_log || log_open(&again, h->w, &e) != 0)
		return;
	rc = log_read(&again, collect_result, &of, &e);
	log_close(&again);
	if (rc != 0)
		heal_say(h, HEAL_ERROR, "unreadable log", WORLD_AUDIT, e.msg);
	for (size_t i = 0; i < of.cap; i++) {
		struct fold_task *t = of.table[i];

		if (t == NULL)
			continue;
		/* While it can still run, a stage may be writing it. */
		if (!fold_runnable(fold_get(&h->fold, t->id)))
			check_result(h, t->id, t->user);
		free(t->user);
	}
	fold_free(&of);
}
