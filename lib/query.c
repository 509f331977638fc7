/*
 * query: selecting lines of the log, once or as they come.
 *
 * Lines are printed as they stand in the file. A tag is a member of the task, not of
 * its events: the ids that have it are learned from the queued events on the way.
 */
#include "query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "scan.h"
#include "watch.h"

struct run {
	const struct query *q;
	struct buf out;			/* whole lines */
	size_t *start, nstart;		/* with last: where the kept lines begin */
	char **tagged;
	size_t ntagged;
	bool any;
};

static bool
one_of(struct scan v, char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (scan_eq(v, list[i]))
			return true;
	return false;
}

static void
learn_tag(struct run *r, struct scan obj, struct scan id)
{
	struct scan tags = scan_get(scan_get(obj, "task"), "tags"), v;
	size_t at = 0;

	while (scan_item(tags, &at, &v))
		if (scan_eq(v, r->q->tag) && !one_of(id, r->tagged, r->ntagged)) {
			r->tagged = mem_grow(r->tagged, r->ntagged + 1, sizeof(*r->tagged));
			r->tagged[r->ntagged++] = scan_dup(id);
		}
}

static bool
matches(struct run *r, struct scan obj)
{
	const struct query *q = r->q;
	struct scan id = scan_get(obj, "task_id");
	char text[CLOCK_TEXT];
	double when = 0;
	bool found = q->ids == NULL;

	for (const char *const *p = q->ids; p != NULL && *p != NULL; p++)
		found |= scan_eq(id, *p);
	if (q->tag != NULL)
		learn_tag(r, obj, id);
	if (!found || (q->tag != NULL && !one_of(id, r->tagged, r->ntagged)) ||
	    (q->status != NULL && !scan_eq(scan_get(obj, "status"), q->status)) ||
	    (q->resident != NULL && !scan_eq(scan_get(obj, "resident_id"), q->resident)))
		return false;
	if (q->since == 0 && q->until == 0)
		return true;
	return scan_copy(scan_get(obj, "timestamp"), text, sizeof(text)) > 0 &&
	    clock_parse(text, &when) && (q->since == 0 || when >= q->since) &&
	    (q->until == 0 || when < q->until);
}

static int
take(const struct log_line *line, void *arg)
{
	struct run *r = arg;

	if (line->len == 0 || !matches(r, scan_text(line->p, line->len)))
		return 0;
	r->any = true;
	if (r->q->last >= 0) {
		r->start = mem_grow(r->start, r->nstart + 1, sizeof(*r->start));
		r->start[r->nstart++] = r->out.len;
	}
	buf_add(&r->out, line->p, line->len);
	buf_char(&r->out, '\n');
	if (r->q->last < 0 && r->out.len > 65536) {
		int rc = file_write(STDOUT_FILENO, r->out.p, r->out.len, "output", NULL);

		buf_clear(&r->out);
		return rc;
	}
	return 0;
}

static int
print(struct run *r, struct err *e)
{
	size_t from = 0;
	int rc = 0;

	if (r->q->last >= 0 && r->nstart > (size_t)r->q->last)
		from = r->q->last == 0 ? r->out.len : r->start[r->nstart - (size_t)r->q->last];
	if (r->out.len > from)
		rc = file_write(STDOUT_FILENO, r->out.p + from, r->out.len - from, "output", e);
	buf_clear(&r->out);
	r->nstart = 0;
	return rc;
}

static int
follow(struct log *l, struct run *r, struct err *e)
{
	int fd = watch_open(l->w), rc = 0;

	while (rc == 0) {
		if (watch_wait(fd, WATCH_TICK_MS, false) & WATCH_GONE)
			break;
		rc = log_read(l, take, r, e);
		if (rc == 0)
			rc = print(r, e);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

int
query_run(struct log *l, const struct query *q, struct err *e)
{
	struct query rest = *q;
	struct run r = {.q = q};
	int rc = log_read(l, take, &r, e);

	if (rc == 0)
		rc = print(&r, e);
	rest.last = -1;
	r.q = &rest;
	if (rc == 0 && q->follow)
		rc = follow(l, &r, e);
	else if (rc == 0 && !r.any)
		rc = err_set(e, VIV_NO, "no such line in the log");
	for (size_t i = 0; i < r.ntagged; i++)
		free(r.tagged[i]);
	free(r.tagged);
	free(r.start);
	buf_free(&r.out);
	return rc;
}
