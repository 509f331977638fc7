/* standing_reason: why a task does not run, or how it ended, for people. */
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "json.h"
#include "standing.h"
#include "votes.h"

/* The reason that the event of task i's state gives. */
static char *
logged_reason(const struct standing *s, const char *id)
{
	const struct fold_task *t = fold_get(&s->fold, id);
	cJSON *ev = t != NULL ? fold_event(&s->fold, &s->log, t) : NULL;
	const char *why = json_str(ev, "reason");
	char *out = why != NULL ? mem_dup(why) : NULL;

	cJSON_Delete(ev);
	return out;
}

/* Who is waited for, by now: a jury and a model have their time. */
static char *
review_reason(const struct standing *s, const char *id)
{
	const struct fold_task *t = fold_get(&s->fold, id);
	cJSON *ev = t != NULL ? fold_event(&s->fold, &s->log, t) : NULL, *records = NULL;
	struct buf why = {0};
	struct err unheard;

	if (json_str(ev, "review_by") != NULL &&
	    votes_read(s->w, id, t->generation, &records, &unheard) == 0)
		votes_turn(ev, records, clock_wall(), &why);
	else if (json_str(ev, "reason") != NULL)
		buf_str(&why, json_str(ev, "reason"));
	cJSON_Delete(records);
	cJSON_Delete(ev);
	return why.p;
}

static char *
held_reason(const struct standing *s, size_t i)
{
	const struct task *t = &s->board.v[i];
	const struct fold_task *f = fold_get(&s->fold, t->id);
	bool backoff = f != NULL && f->not_before > t->not_before;
	char when[CLOCK_TEXT], *why = backoff ? logged_reason(s, t->id) : NULL, *out;

	clock_utc(backoff ? f->not_before : t->not_before, when);
	out = mem_fmt("until %.19sZ%s%s", when, why != NULL ? ": " : "", why != NULL ? why : "");
	free(why);
	return out;
}

static char *
blocked_reason(const struct standing *s, size_t i)
{
	const struct task *t = &s->board.v[i];
	const char *on = NULL;
	char *cycle;
	long at;

	if (claim_gate(&s->board, &s->fold, i, NULL, clock_wall(), &on) == CLAIM_BLOCKED) {
		at = board_find(&s->board, on);
		if (fold_dead(fold_get(&s->fold, on)))
			return mem_fmt("'%s' has failed", on);
		return at < 0 ? mem_fmt("'%s' does not exist", on) : mem_fmt("waits for itself");
	}
	for (char **d = t->deps; d != NULL && *d != NULL; d++) {
		at = board_find(&s->board, *d);
		if (at < 0 || s->state[at] != STANDING_BLOCKED)
			continue;
		cycle = board_cycle(&s->board, i);
		return cycle != NULL ? cycle : mem_fmt("waits for '%s', which is blocked", *d);
	}
	return NULL;
}

static char *
waiting_reason(const struct standing *s, size_t i)
{
	const char *first = NULL;
	enum standing_state st = STANDING_READY;
	size_t more = 0;

	for (char **d = s->board.v[i].deps; d != NULL && *d != NULL; d++) {
		if (fold_done(fold_get(&s->fold, *d)))
			continue;
		if (first == NULL && standing_of(s, *d, &st))
			first = *d;
		else
			more++;
	}
	if (first == NULL)
		return NULL;
	return more == 0 ? mem_fmt("waits for '%s' (%s)", first, standing_word(st)) :
	    mem_fmt("waits for '%s' (%s) and %zu more", first, standing_word(st), more);
}

char *
standing_reason(const struct standing *s, size_t i)
{
	switch ((enum standing_state)s->state[i]) {
	case STANDING_HELD_BACK:
		return held_reason(s, i);
	case STANDING_WAITING:
		return waiting_reason(s, i);
	case STANDING_BLOCKED:
		return blocked_reason(s, i);
	case STANDING_IN_REVIEW:
		return review_reason(s, s->board.v[i].id);
	case STANDING_APPROVED:
	case STANDING_FAILED:
		return logged_reason(s, s->board.v[i].id);
	default:
		return NULL;
	}
}
