/*
 * post: putting tasks on the board.
 *
 * Under the board's lock: read the board and the log to their ends, check, replace
 * the board, append one `queued` event with the whole task for each. The order is
 * what makes a crash harmless: a task that is on the board without an event is a task
 * as by hand edit, which the first claim logs; an event without its task would speak
 * of something that never was. An id is taken when the board or the log has it, so
 * the log stays readable by id for ever.
 */
#include "post.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "clock.h"
#include "json.h"
#include "rand.h"

enum {
	BATCH_EVENTS = 1000,
	BATCH_BYTES = 2 << 20
};

int
post_open(struct post *p, const struct world *w, bool cache, struct err *e)
{
	int rc;

	*p = (struct post){.w = w, .lock = {.fd = -1}, .cache = cache};
	rc = world_limits(w, &p->lim, e);
	if (rc == 0)
		rc = log_open(&p->log, w, e);
	if (rc != 0)
		return rc;
	rc = fold_read(&p->fold, &p->log, cache, e);
	if (rc < 0)
		post_close(p);
	return rc < 0 ? rc : 0;
}

void
post_close(struct post *p)
{
	post_end(p);
	fold_free(&p->fold);
	log_close(&p->log);
	board_free(&p->board);
}

int
post_begin(struct post *p, struct err *e)
{
	int rc = board_begin(&p->board, p->w, &p->lock, e);

	if (rc != 0)
		return rc;
	rc = fold_read(&p->fold, &p->log, p->cache, e);
	if (rc < 0)
		post_end(p);
	return rc < 0 ? rc : 0;
}

void
post_end(struct post *p)
{
	board_end(&p->lock);
}

int
post_check(const struct post *p, const cJSON *task, struct err *e)
{
	int rc = task_check(task, &p->lim, e);
	const char *id = json_str(task, "id");

	if (rc == 0 && board_find(&p->board, id) >= 0)
		rc = err_set(e, VIV_CONFIG, "id '%s' is on the board already", id);
	if (rc == 0 && fold_get(&p->fold, id) != NULL)
		rc = err_set(e, VIV_CONFIG, "id '%s' was used before: the log knows it", id);
	return rc;
}

int
post_limit(const struct post *p, size_t add, struct err *e)
{
	size_t open = 0, limit = (size_t)p->lim.max_tasks;

	if (p->board.n + add <= limit)
		return 0;
	for (size_t i = 0; i < p->board.n; i++) {
		const struct fold_task *t = fold_get(&p->fold, p->board.v[i].id);

		open += !fold_done(t) && !fold_dead(t);
	}
	if (open + add <= limit)
		return 0;
	return err_set(e, VIV_REFUSED, "%zu open tasks and %zu more: the limit max_tasks is %zu",
	    open, add, limit);
}

char *
post_links(const struct post *p, const struct board *all, size_t i)
{
	char **deps = all->v[i].deps;

	for (size_t d = 0; deps != NULL && deps[d] != NULL; d++)
		if (board_find(all, deps[d]) < 0 && fold_get(&p->fold, deps[d]) == NULL)
			return mem_fmt("depends on '%s', which is unknown", deps[d]);
	return deps != NULL ? board_cycle(all, i) : NULL;
}

int
post_record(struct post *p, const char *who, cJSON *const *tasks, size_t n, struct err *e)
{
	cJSON *event[BATCH_EVENTS];
	int rc = 0;

	for (size_t done = 0; rc == 0 && done < n;) {
		size_t k = 0, bytes = 0;

		for (; k < BATCH_EVENTS && bytes < BATCH_BYTES && done + k < n; k++) {
			char *text = json_text(tasks[done + k]);

			bytes += strlen(text);
			free(text);
			event[k] = log_event(json_str(tasks[done + k], "id"), who, "queued", 0);
			json_set(event[k], "task", cJSON_Duplicate(tasks[done + k], true));
		}
		rc = log_append(&p->log, event, k, e);
		done += k;
		while (k > 0)
			cJSON_Delete(event[--k]);
	}
	return rc == 0 ? log_sync(&p->log, e) : rc;
}

void
post_id(struct post *p, char out[POST_ID])
{
	double now;

	if (p->id_s == 0) {
		now = clock_wall();
		p->id_s = (time_t)now;
		p->id_ms = (unsigned)((now - (double)p->id_s) * 1000) % 1000;
		p->id_count = (unsigned)rand_below(0x8000);
	}
	do {
		struct tm tm = {0};
		char date[24];

		if (p->id_count > 0xffff) {
			p->id_count = (unsigned)rand_below(0x8000);
			p->id_s += p->id_ms == 999;
			p->id_ms = (p->id_ms + 1) % 1000;
		}
		gmtime_r(&p->id_s, &tm);
		strftime(date, sizeof(date), "%Y%m%d-%H%M%S", &tm);
		snprintf(
		    out, POST_ID, "t%s-%03u-%04x", date, p->id_ms % 1000, p->id_count++ & 0xffff);
	} while (board_find(&p->board, out) >= 0 || fold_get(&p->fold, out) != NULL);
}
