/*
 * votes: what jurors and models have said of work that waits for them.
 *
 * One object a line, appended and synced under the record lock on its sibling before
 * anything follows from it. A decision (lib/decide.c) is what the log says; this file
 * is how it came about, and what a crash between the vote that decides and the decision
 * leaves for the next one to finish. Records belong to one attempt (task_id,
 * generation): a task that is tried again is judged afresh.
 *
 *   kind "jury":  voter is one of the names in the waiting event's "jury", vote is
 *                 approve or reject; only the first record of a voter counts
 *   kind "model": vote is approve or reject, with the verdict beside it; null when the
 *                 model was asked and gave none: then it is a person's turn
 *
 * Whose turn it is follows from these at read time. No daemon watches the time.
 */
#include "votes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "json.h"
#include "scan.h"

enum { VOTES_MAX = 256 * 1024 * 1024 };	/* bytes of the file */

int
votes_take(struct lock *l, const struct world *w, struct err *e)
{
	int rc = lock_open(l, w->fd, VOTES_LOCK, e);

	if (rc == 0 && (rc = lock_take(l, LOCK_WAIT_MS, e)) != 0)
		lock_close(l);
	return rc;
}

void
votes_drop(struct lock *l)
{
	lock_close(l);
}

/* --- the file --- */

static bool
is_about(struct scan obj, const char *id, int64_t generation)
{
	return obj.kind == '{' && scan_eq(scan_get(obj, "task_id"), id) &&
	    scan_number(scan_get(obj, "generation"), -1) == (double)generation;
}

int
votes_read(const struct world *w, const char *id, int64_t generation, cJSON **out, struct err *e)
{
	struct buf b = {0};
	const char *p, *end;
	int rc = file_read(w->fd, VOTES_FILE, VOTES_MAX, &b, e);

	*out = json_list();
	if (rc == -VIV_NO) {
		buf_free(&b);
		return 0;
	}
	/* Bytes after the last newline are a vote that nobody was told of. */
	for (p = b.p; rc == 0 && b.len > 0 && (end = strchr(p, '\n')) != NULL; p = end + 1) {
		cJSON *v;

		if (!is_about(scan_text(p, (size_t)(end - p)), id, generation))
			continue;
		v = json_parse(p, (size_t)(end - p), e);
		if (v == NULL)
			rc = err_prefix(e, "'%s'", VOTES_FILE);
		else
			json_push(*out, v);
	}
	buf_free(&b);
	if (rc != 0) {
		cJSON_Delete(*out);
		*out = NULL;
	}
	return rc;
}

/* Cut what a crash left of a record: it was never acknowledged. */
static int
cut_torn(int fd, off_t size, struct err *e)
{
	char chunk[4096];

	while (size > 0) {
		size_t n = size < (off_t)sizeof(chunk) ? (size_t)size : sizeof(chunk);
		ssize_t got = pread(fd, chunk, n, size - (off_t)n);
		const char *nl;

		if (got != (ssize_t)n)
			return err_sys(e, VIV_IO, "cannot read '%s'", VOTES_FILE);
		nl = memrchr(chunk, '\n', n);
		if (nl != NULL) {
			size = size - (off_t)n + (nl - chunk) + 1;
			break;
		}
		size -= (off_t)n;
	}
	if (ftruncate(fd, size) != 0)
		return err_sys(e, VIV_IO, "cannot cut '%s'", VOTES_FILE);
	return 0;
}

static int
append(int fd, const struct buf *line, struct err *e)
{
	struct stat st;
	char last = '\n';
	int rc = 0;

	if (fstat(fd, &st) != 0 ||
	    (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) != 1))
		return err_sys(e, VIV_IO, "cannot read '%s'", VOTES_FILE);
	if (last != '\n')
		rc = cut_torn(fd, st.st_size, e);
	if (rc == 0 && fstat(fd, &st) != 0)
		rc = err_sys(e, VIV_IO, "cannot read '%s'", VOTES_FILE);
	if (rc == 0 && ((rc = file_write(fd, line->p, line->len, VOTES_FILE, e)) != 0 ||
	    fdatasync(fd) != 0)) {
		if (rc == 0)
			rc = err_sys(e, VIV_IO, "cannot sync '%s'", VOTES_FILE);
		if (ftruncate(fd, st.st_size) != 0)
			return rc;	/* the next one cuts it, or it is a whole vote */
	}
	return rc;
}

int
votes_append(const struct world *w, const cJSON *record, struct err *e)
{
	struct buf line = {0};
	int fd = openat(w->fd, VOTES_FILE, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
	    0666);
	int rc;

	if (fd < 0)
		return err_sys(e, VIV_CANTCREAT, "cannot open '%s'", VOTES_FILE);
	json_print(&line, record);
	buf_char(&line, '\n');
	rc = append(fd, &line, e);
	if (rc == 0 && close(fd) != 0)
		rc = err_sys(e, VIV_IO, "cannot write '%s'", VOTES_FILE);
	else if (rc != 0)
		close(fd);
	buf_free(&line);
	return rc;
}

cJSON *
votes_record(const char *id, int64_t generation, const char *kind, const char *voter)
{
	cJSON *r = json_new();
	char when[CLOCK_TEXT];

	clock_utc(clock_wall(), when);
	json_set_str(r, "task_id", id);
	json_set_num(r, "generation", (double)generation);
	json_set_str(r, "kind", kind);
	json_set_str(r, "voter", voter);
	json_set_str(r, "timestamp", when);
	return r;
}

/* --- what follows from it --- */

static bool
is_kind(const cJSON *record, const char *kind)
{
	const char *k = json_str(record, "kind");

	return k != NULL && strcmp(k, kind) == 0;
}

const cJSON *
votes_of(const cJSON *records, const char *juror)
{
	const cJSON *r;

	cJSON_ArrayForEach(r, records) {
		const char *who = json_str(r, "voter");

		if (is_kind(r, "jury") && who != NULL && strcmp(who, juror) == 0)
			return r;
	}
	return NULL;
}

const char *
votes_majority(const cJSON *waiting, const cJSON *records, int *count_out)
{
	static const char *const vote[] = {"approve", "reject"};
	int n[2] = {0};
	const cJSON *juror;

	cJSON_ArrayForEach(juror, json_arr(waiting, "jury")) {
		const char *v = cJSON_IsString(juror) ?
		    json_str(votes_of(records, juror->valuestring), "vote") : NULL;

		for (size_t i = 0; i < 2 && v != NULL; i++)
			n[i] += strcmp(v, vote[i]) == 0;
	}
	*count_out = n[0] + n[1];
	for (size_t i = 0; i < 2; i++)
		if (n[i] >= VOTES_MAJORITY)
			return vote[i];
	return NULL;
}

const cJSON *
votes_verdict(const cJSON *records)
{
	const cJSON *r, *found = NULL;

	cJSON_ArrayForEach(r, records) {
		if (is_kind(r, "model") && json_str(r, "vote") != NULL)
			found = r;
	}
	return found;
}

/* Why the model that was asked is not asked again, or NULL. */
static const char *
gave_none(const cJSON *records)
{
	const cJSON *r;
	const char *why = NULL;

	cJSON_ArrayForEach(r, records) {
		if (is_kind(r, "model") && json_str(r, "vote") == NULL)
			why = json_str(r, "reason");
	}
	return why;
}

static bool
is_late(const cJSON *waiting, double now)
{
	const char *since = json_str(waiting, "timestamp");
	double t;

	return since != NULL && clock_parse(since, &t) && now >= t + VOTES_WAIT_S;
}

enum votes_turn
votes_turn(const cJSON *waiting, const cJSON *records, double now, struct buf *why)
{
	const char *by = json_str(waiting, "review_by"), *none = gave_none(records);
	bool model = by != NULL && strcmp(by, "model") == 0;
	bool jury = by != NULL && strcmp(by, "jury") == 0;
	const char *reason = json_str(waiting, "reason");
	struct buf none_of_it = {0}, *out = why != NULL ? why : &none_of_it;
	enum votes_turn turn = VOTES_HUMAN;

	if (model && votes_verdict(records) == NULL && none != NULL) {
		buf_fmt(out, "waits for a person: %s", none);
	} else if ((model || jury) && is_late(waiting, now)) {
		buf_fmt(out, "waits for a person: no answer of the %s in %d hours", by,
		    VOTES_WAIT_S / 3600);
	} else {
		buf_str(out, reason != NULL ? reason : "waits for a person");
		turn = model ? VOTES_BY_MODEL : jury ? VOTES_BY_JURY : VOTES_HUMAN;
	}
	buf_free(&none_of_it);
	return turn;
}
