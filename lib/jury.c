/*
 * jury: three residents by lot, of which two decide.
 *
 * Asked can be: every identity that has a file or ever claimed, and every resident
 * without one that claimed within a week. The lot (lib/lot.c) leaves out whoever had a
 * part in any attempt of the task, under any name. Its seed is the world's token, which
 * no task can read; the jury is written into the event that waits, so that later
 * residents and identities change nothing.
 *
 * A vote is checked, recorded and counted under the lock on the votes (lib/votes.c), so
 * of two jurors at once one sees the other's vote. The second equal vote decides: its
 * voter, still under the lock, takes the task's next slot (lib/decide.c). If he dies
 * first, whoever looks next finishes it from the votes.
 */
#include "jury.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "file.h"
#include "json.h"
#include "lot.h"
#include "scan.h"
#include "task.h"
#include "utf8.h"
#include "votes.h"

#define IDENTITIES WORLD_MUTABLE "/.swarm/identities"

enum { ACTIVE_S = 7 * 24 * 3600, TOKEN_MAX = 4096 };

/* --- drawing --- */

struct census {
	struct lot lot;
	const char *id;		/* the task */
	double since;		/* residents seen from then on can be asked */
};

static void
count_attempt(struct census *c, struct scan ev)
{
	char *resident = scan_dup(scan_get(ev, "resident_id"));
	char *identity = scan_dup(scan_get(ev, "identity_id"));
	unsigned author = scan_eq(scan_get(ev, "task_id"), c->id) ? LOT_AUTHOR : 0;
	char when[CLOCK_TEXT];
	double t = 0;

	scan_copy(scan_get(ev, "timestamp"), when, sizeof(when));
	if (resident != NULL && *resident != '\0')
		lot_add(&c->lot, resident, author | (identity == NULL &&
		    clock_parse(when, &t) && t >= c->since ? LOT_ELIGIBLE : 0));
	if (identity != NULL && *identity != '\0') {
		lot_add(&c->lot, identity, author | LOT_IDENTITY | LOT_ELIGIBLE);
		if (resident != NULL && *resident != '\0')
			lot_link(&c->lot, resident, identity);
	}
	free(resident);
	free(identity);
}

static int
count_line(const struct log_line *line, void *arg)
{
	struct census *c = arg;
	struct scan ev;
	char *author;

	if (memmem(line->p, line->len, "in_progress", 11) != NULL) {
		ev = scan_text(line->p, line->len);
		if (scan_eq(scan_get(ev, "status"), "in_progress"))
			count_attempt(c, ev);
	}
	if (memmem(line->p, line->len, "author_id", 9) != NULL) {
		ev = scan_text(line->p, line->len);
		author = scan_eq(scan_get(ev, "task_id"), c->id) ?
		    scan_dup(scan_get(scan_get(ev, "task"), "author_id")) : NULL;
		if (author != NULL)
			lot_add(&c->lot, author, LOT_AUTHOR);
		free(author);
	}
	return 0;
}

static int
count_identities(struct census *c, const struct world *w, struct err *e)
{
	int fd = openat(w->fd, IDENTITIES, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *d;

	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return faccessat(w->fd, IDENTITIES, F_OK, AT_SYMLINK_NOFOLLOW) != 0 ? 0 :
		    err_sys(e, VIV_IO, "cannot read '%s'", IDENTITIES);
	}
	while ((d = readdir(dir)) != NULL) {
		size_t n = strlen(d->d_name);
		char *name;

		if (d->d_name[0] == '.' || n <= 5 || strcmp(d->d_name + n - 5, ".json") != 0 ||
		    utf8_invalid(d->d_name, n) != n)
			continue;
		name = mem_ndup(d->d_name, n - 5);
		lot_add(&c->lot, name, LOT_IDENTITY | LOT_ELIGIBLE);
		free(name);
	}
	closedir(dir);
	return 0;
}

/* Who works on the line itself, and who asked for it, wherever the log is. */
static void
count_line_itself(struct census *c, const cJSON *line)
{
	const cJSON *claim = json_obj(line, "claim");
	const char *resident = json_str(claim, "resident_id");
	const char *identity = json_str(claim, "identity_id");
	const char *author = json_str(line, "author_id");

	if (resident != NULL)
		lot_add(&c->lot, resident, LOT_AUTHOR);
	if (identity != NULL)
		lot_add(&c->lot, identity, LOT_AUTHOR);
	if (resident != NULL && identity != NULL)
		lot_link(&c->lot, resident, identity);
	if (author != NULL)
		lot_add(&c->lot, author, LOT_AUTHOR);
}

static int
take_census(struct census *c, const struct world *w, const cJSON *line, struct err *e)
{
	struct log all;
	int rc = log_open(&all, w, e);

	if (rc != 0)
		return rc;
	rc = log_read(&all, count_line, c, e);
	log_close(&all);
	if (rc == 0)
		rc = count_identities(c, w, e);
	count_line_itself(c, line);
	return rc;
}

int
jury_summon(
    const struct world *w, const cJSON *line, cJSON **jury_out, size_t *found_out, struct err *e)
{
	const char *id = json_str(line, "id"), *name[VOTES_JURY];
	int64_t generation = json_int(json_obj(line, "claim"), "generation", 0);
	struct census c = {.id = id != NULL ? id : "", .since = clock_wall() - ACTIVE_S};
	struct buf seed = {0};
	int rc = take_census(&c, w, line, e);

	*jury_out = NULL;
	*found_out = 0;
	if (rc == 0) {
		file_read(w->fd, WORLD_TOKEN, TOKEN_MAX, &seed, NULL);
		*found_out = lot_draw(&c.lot, seed.p != NULL ? seed.p : "", c.id, generation, name,
		    VOTES_JURY);
		if (*found_out >= VOTES_JURY)
			*jury_out = cJSON_CreateStringArray(name, VOTES_JURY);
	}
	if (seed.p != NULL)
		explicit_bzero(seed.p, seed.cap);
	buf_free(&seed);
	lot_free(&c.lot);
	return rc;
}

/* --- voting --- */

struct session {
	struct lock lock;
	const struct fold_task *task;
	cJSON *waiting, *records;
};

static void
close_session(struct session *s)
{
	cJSON_Delete(s->waiting);
	cJSON_Delete(s->records);
	votes_drop(&s->lock);
}

/* With the lock taken, the log read to its end and the votes read: what is there to
 * vote on? */
static int
open_session(struct session *s, const struct decide *d, const char *id, bool locked, struct err *e)
{
	int rc = task_id_check(id, e);

	*s = (struct session){.lock = {.fd = -1}};
	if (rc == 0 && locked)
		rc = votes_take(&s->lock, d->w, e);
	if (rc == 0)
		rc = fold_read(d->fold, d->log, false, e);
	if (rc == 0 && (s->task = fold_get(d->fold, id)) == NULL)
		rc = err_set(e, VIV_NO, "'%s' is not in the log", id);
	if (rc == 0 && !decide_waits(s->task))
		rc = err_set(e, VIV_NO, "'%s' does not wait for a review: it is %s", id,
		    task_status_name((enum task_status)s->task->status));
	if (rc == 0 && json_arr(s->waiting = fold_event(d->fold, d->log, s->task), "jury") == NULL)
		rc = err_set(e, VIV_NO, "'%s' waits for no jury", id);
	if (rc == 0)
		rc = votes_read(d->w, id, s->task->generation, &s->records, e);
	if (rc != 0)
		close_session(s);
	return rc;
}

/* The verdict that a majority stands for; the issues are the reasons of who rejected. */
static void
make_verdict(struct critic *v, const struct session *s, const char *vote, int count)
{
	bool yes = strcmp(vote, "approve") == 0;
	const cJSON *juror;
	int same = 0;

	*v = (struct critic){.verdict = yes ? "APPROVE" : "REJECT", .accepted = yes,
	    .issues = json_list(), .suggestions = json_list()};
	cJSON_ArrayForEach(juror, json_arr(s->waiting, "jury")) {
		const cJSON *r = cJSON_IsString(juror) ?
		    votes_of(s->records, juror->valuestring) : NULL;
		const char *said = json_str(r, "vote"), *why = json_str(r, "reason");

		same += said != NULL && strcmp(said, vote) == 0;
		if (said != NULL && strcmp(said, "reject") == 0 && why != NULL)
			json_push(v->issues, cJSON_CreateString(why));
	}
	v->confidence = (double)same / count;
}

static int
settle(const struct decide *d, const struct session *s, const char *id, cJSON **line_out,
    struct err *e)
{
	struct decide by = *d;
	int count, rc;
	const char *vote = votes_majority(s->waiting, s->records, &count);
	struct critic v;

	if (vote == NULL)
		return 0;
	by.who = "jury";
	make_verdict(&v, s, vote, count);
	rc = decide_verdict(&by, id, &v, line_out, e);
	critic_free(&v);
	return rc != 0 ? rc : 1;
}

static char *
trimmed(const char *s)
{
	size_t n;

	s += strspn(s, " \t\r\n");
	n = strlen(s);
	while (n > 0 && strchr(" \t\r\n", s[n - 1]) != NULL)
		n--;
	return mem_ndup(s, n);
}

static int
check_vote(const struct decide *d, const struct session *s, const char *id, struct err *e)
{
	struct buf why = {0};
	bool juror = false;
	const cJSON *v;
	int rc = 0;

	cJSON_ArrayForEach(v, json_arr(s->waiting, "jury")) {
		juror |= cJSON_IsString(v) && strcmp(v->valuestring, d->who) == 0;
	}
	if (votes_turn(s->waiting, s->records, clock_wall(), &why) != VOTES_BY_JURY)
		rc = err_set(e, VIV_REFUSED, "'%s' %s", id, why.p);
	else if (!juror)
		rc = err_set(e, VIV_REFUSED, "'%s' is no juror of '%s'", d->who, id);
	else if (votes_of(s->records, d->who) != NULL)
		rc = err_set(e, VIV_REFUSED, "'%s' has voted on '%s' already", d->who, id);
	else
		rc = decide_check_author(d, id, e);
	buf_free(&why);
	return rc;
}

static int
cast(const struct decide *d, struct session *s, const char *id, const char *vote,
    const char *reason, struct err *e)
{
	cJSON *r = votes_record(id, s->task->generation, "jury", d->who);
	int rc;

	json_set_str(r, "vote", vote);
	json_set_str(r, "reason", reason);
	rc = votes_append(d->w, r, e);
	json_push(s->records, r);
	return rc;
}

int
jury_vote(
    const struct decide *d, const char *id, const char *vote, cJSON **line_out, struct err *e)
{
	char *reason = trimmed(d->reason != NULL ? d->reason : "");
	struct session s;
	int rc = 0;

	*line_out = NULL;
	if (utf8_invalid(reason, strlen(reason)) != strlen(reason) ||
	    utf8_count(reason, strlen(reason)) < VOTES_REASON_CHARS)
		rc = err_set(e, VIV_USAGE, "a vote needs a reason of %d characters or more",
		    VOTES_REASON_CHARS);
	if (rc != 0 || (rc = open_session(&s, d, id, !d->dry, e)) != 0) {
		free(reason);
		return rc;
	}
	/* Who died before his decision was recorded has decided all the same. */
	if (!d->dry && (rc = settle(d, &s, id, line_out, e)) == 1)
		rc = err_set(e, VIV_NO, "'%s' does not wait for a review: it was decided", id);
	if (rc == 0)
		rc = check_vote(d, &s, id, e);
	if (rc == 0 && !d->dry && (rc = cast(d, &s, id, vote, reason, e)) == 0)
		rc = settle(d, &s, id, line_out, e);
	close_session(&s);
	free(reason);
	return rc > 0 ? 0 : rc;
}

int
jury_settle(const struct decide *d, const char *id, cJSON **line_out, struct err *e)
{
	struct session s;
	int rc = open_session(&s, d, id, !d->dry, e);

	*line_out = NULL;
	if (rc != 0)
		return rc == -VIV_NO ? 0 : rc;
	rc = d->dry ? 0 : settle(d, &s, id, line_out, e);
	close_session(&s);
	return rc;
}

static void
add_until(cJSON *out, const cJSON *waiting)
{
	const char *since = json_str(waiting, "timestamp");
	char until[CLOCK_TEXT];
	double t;

	json_set_str(out, "since", since);
	if (since == NULL || !clock_parse(since, &t))
		return;
	clock_utc(t + VOTES_WAIT_S, until);
	json_set_str(out, "until", until);
}

int
jury_look(const struct decide *d, const char *id, cJSON **out, struct err *e)
{
	struct session s;
	int rc = open_session(&s, d, id, false, e);
	const cJSON *juror;
	struct buf why = {0};

	*out = NULL;
	if (rc != 0)
		return rc;
	*out = json_new();
	json_set_str(*out, "task_id", id);
	json_set_num(*out, "generation", (double)s.task->generation);
	add_until(*out, s.waiting);
	votes_turn(s.waiting, s.records, clock_wall(), &why);
	json_set_str(*out, "reason", why.p);
	json_set(*out, "jurors", json_list());
	cJSON_ArrayForEach(juror, json_arr(s.waiting, "jury")) {
		const cJSON *r = cJSON_IsString(juror) ?
		    votes_of(s.records, juror->valuestring) : NULL;
		cJSON *one = json_new();

		json_set_str(one, "juror", cJSON_GetStringValue(juror));
		json_set_str(one, "vote", json_str(r, "vote"));
		json_set_str(one, "reason", json_str(r, "reason"));
		json_push(json_arr(*out, "jurors"), one);
	}
	buf_free(&why);
	close_session(&s);
	return 0;
}
