/*
 * keep: the claims that a viv-claim has printed and keeps alive until they have ended.
 *
 * A claim ends when the log says so: a final event of its generation, or a later
 * generation. Until then it is renewed at a third of its lease. Who executes a task
 * holds a shared flock on its slot: what is given back must first be locked alone.
 */
#include "keep.h"

#include <stdlib.h>
#include <sys/file.h>

#include "clock.h"
#include "commit.h"
#include "json.h"
#include "serial.h"
#include "stage.h"

struct kept {
	struct slot_hold hold;
	cJSON *claim;			/* the line's */
	int64_t next_ns, give_up_ns;	/* CLOCK_BOOTTIME: renew at; stop renewing at */
	bool serial;
};

void
keep_add(struct keep *k, const struct slot_hold *hold, const cJSON *line)
{
	int64_t now = clock_boot_ns();
	double timeout = task_timeout(line);

	k->v = mem_grow(k->v, k->n + 1, sizeof(*k->v));
	k->v[k->n++] = (struct kept){*hold, cJSON_Duplicate(json_obj(line, "claim"), true),
	    now + hold->lease_ns / 3, now + (int64_t)(timeout * 1e9) + 2 * hold->lease_ns,
	    !json_bool(line, "parallel_safe", true)};
}

static void
drop(struct keep *k, size_t i)
{
	slot_hold_free(&k->v[i].hold);
	cJSON_Delete(k->v[i].claim);
	k->v[i] = k->v[--k->n];
}

static bool
ended(const struct kept *h, const struct fold *f)
{
	const struct fold_task *t = fold_get(f, h->hold.id);

	return t != NULL && (t->generation > h->hold.number ||
	    (t->generation == h->hold.number && t->final));
}

void
keep_tend(struct keep *k, const struct world *w, const struct fold *f)
{
	int64_t now = clock_boot_ns();
	struct err e;

	for (size_t i = k->n; i-- > 0;) {
		struct kept *h = &k->v[i];

		if (ended(h, f)) {
			if (h->serial)
				serial_done(w, h->hold.id, h->hold.number);
			drop(k, i);
		} else if (now >= h->give_up_ns) {
			err_warn("'%s' has not come back: no longer renewed", h->hold.id);
			drop(k, i);
		} else if (now >= h->next_ns) {
			h->next_ns = now + h->hold.lease_ns / 3;
			if (slot_renew(&h->hold, w, &e) != 0) {
				err_warn("%s", e.msg);
				drop(k, i);
			}
		}
	}
}

int64_t
keep_due_ns(const struct keep *k)
{
	int64_t due = 0;

	for (size_t i = 0; i < k->n; i++)
		if (due == 0 || k->v[i].next_ns < due)
			due = k->v[i].next_ns;
	return due;
}

void
keep_give_back(struct keep *k, const struct world *w, struct log *l, const char *reason)
{
	struct err e;

	for (size_t i = k->n; i-- > 0;) {
		struct kept *h = &k->v[i];
		cJSON *line;
		int rc;

		if (flock(h->hold.fd, LOCK_EX | LOCK_NB) != 0)
			continue;
		line = json_new();
		json_set_str(line, "id", h->hold.id);
		json_set(line, "claim", cJSON_Duplicate(h->claim, true));
		stage_requeue(line, reason);
		rc = commit_line(l, line, &e);
		if (rc == 0)
			rc = log_sync(l, &e);
		if (rc != 0 && rc != -VIV_REFUSED)	/* refused: it has ended meanwhile */
			err_warn("%s", e.msg);
		cJSON_Delete(line);
		if (h->serial)
			serial_done(w, h->hold.id, h->hold.number);
		drop(k, i);
	}
}

void
keep_leave(struct keep *k)
{
	while (k->n > 0)
		drop(k, k->n - 1);
}

void
keep_free(struct keep *k)
{
	keep_leave(k);
	free(k->v);
	k->v = NULL;
}
