/*
 * publish: an approved line's journal entry and document, once.
 *
 * All under one lock, so that two residents never write into one file at a time:
 *
 *   1. decide where everything goes, and at which offset an appended record begins, and
 *      put that down in shares/ID.GENERATION.json (replaced whole, synced);
 *   2. append to the journal, write the document, each synced;
 *   3. put "done" into that file.
 *
 * Who comes after a crash finds the plan and does 2 again: the record has the time of
 * the plan, so its bytes are the same; what stands at its offset already is not written
 * twice, and a torn end is completed. After 3 nothing is written any more, however
 * often the line comes.
 */
#include "publish.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "artifact.h"
#include "beneath.h"
#include "buf.h"
#include "clock.h"
#include "conf.h"
#include "file.h"
#include "json.h"
#include "stage.h"
#include "task.h"

#define SWARM WORLD_MUTABLE "/.swarm"
#define SHARES_LOCK SWARM "/.shares.lock"
#define SEPARATOR "\n---\n\n"

enum { NAMES_TRIED = 1000 };

/* What is published, and as whom. */
struct job {
	struct artifact a;
	char *owner, *name;
	char hash[FILE_SHA256];		/* of the text */
	char *state;			/* path of the plan */
	cJSON *plan;
};

/* --- the plan --- */

static void
plan_target(struct job *j, const char *what, const char *path, const char *mode, off_t at)
{
	cJSON *t = json_new();

	json_set_str(t, "path", path);
	json_set_str(t, "mode", mode);
	json_set_num(t, "at", (double)at);
	json_set(j->plan, what, t);
}

/* The very bytes of a target: the same whenever the plan is the same. */
static void
make_record(const struct job *j, const char *what, struct buf *out)
{
	const cJSON *t = json_obj(j->plan, what);
	const char *mode = json_str(t, "mode");
	struct artifact a = j->a;

	a.generated_at = json_str(j->plan, "generated_at");
	a.name = json_str(j->plan, "identity_name");
	if (json_num(t, "at", 0) > 0 && mode != NULL && strcmp(mode, "append") == 0)
		buf_str(out, SEPARATOR);
	artifact_record(out, strcmp(what, "doc") == 0 ? "Suggestion" : "Journal Entry", &a);
}

/* Where the document begins that is appended to a file of that size: behind the journal
 * entry that comes first, when it is the same file. */
static off_t
begins_at(const struct job *j, const char *path, off_t size)
{
	struct buf entry = {0};

	if (strcmp(path, json_str(json_obj(j->plan, "journal"), "path")) != 0)
		return size;
	make_record(j, "journal", &entry);
	size += (off_t)entry.len;
	buf_free(&entry);
	return size;
}

static int
plan_journal(const struct world *w, struct job *j, struct err *e)
{
	char *path = mem_fmt("%s/%s_%.10s.md", ARTIFACT_JOURNALS, j->owner,
	    json_str(j->plan, "generated_at"));
	off_t at = beneath_size(w, path);
	int rc = 0;

	if (at < 0 && beneath_refused())
		rc = err_set(e, VIV_CONFIG, "'%s/%s' is no file that can be added to",
		    WORLD_MUTABLE, path);
	else if (at < 0)
		rc = err_sys(e, VIV_IO, "cannot look at '%s/%s'", WORLD_MUTABLE, path);
	else
		plan_target(j, "journal", path, "append", at);
	free(path);
	return rc;
}

/* The document goes where the task says, if it may: 1. Else 0, and why is in the plan. */
static int
plan_asked(const struct world *w, struct job *j, const cJSON *line, struct err *e)
{
	const char *edit = json_str(line, "doc_edit_mode"), *path;
	bool given, journal;
	struct err why = {0};
	cJSON *refused;
	off_t at = 0;

	path = artifact_asked(line, &given);
	if (!given)
		return 0;
	if (path == NULL)
		err_set(&why, VIV_REFUSED, "it is not a string");
	else if (artifact_check(path, j->owner, &journal, &why) == 0 &&
	    (at = beneath_size(w, path)) < 0) {
		if (!beneath_refused())
			return err_sys(e, VIV_IO, "cannot look at '%s'", path);
		err_set(&why, VIV_REFUSED, "something on it is a link or no plain file");
	}
	if (why.code == 0) {
		bool append = journal || (edit != NULL && strcmp(edit, "append") == 0);

		plan_target(j, "doc", path, append ? "append" : "overwrite",
		    append ? begins_at(j, path, at) : 0);
		return 1;
	}
	refused = json_new();
	json_set_str(refused, "path", path);
	json_set_str(refused, "why", why.msg);
	json_set(j->plan, "refused", refused);
	return 0;
}

/* Its own name in the identity's folder: time, task, generation. */
static int
plan_default(const struct world *w, struct job *j, struct err *e)
{
	char *slug = artifact_slug(j->a.id, "task"), day[CLOCK_TEXT], *path = NULL;
	const char *t = json_str(j->plan, "generated_at");
	const char *base;
	int dir = -1, n = 0, rc = 0;

	snprintf(day, sizeof(day), "%.4s%.2s%.2s-%.2s%.2s%.2s", t, t + 5, t + 8, t + 11, t + 14,
	    t + 17);
	do {
		char more[16] = "";

		if (n > 0)
			snprintf(more, sizeof(more), "-%d", n);
		free(path);
		path = mem_fmt("%s/%s/%s_%s.%lld%s.md", ARTIFACT_SUGGESTIONS, j->owner, day, slug,
		    (long long)j->a.generation, more);
		if (dir < 0)
			dir = beneath_open(w, path, &base);
		base = strrchr(path, '/') + 1;
	} while (dir >= 0 && faccessat(dir, base, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	    ++n < NAMES_TRIED);
	if (dir >= 0 && n < NAMES_TRIED)
		plan_target(j, "doc", path, "overwrite", 0);
	else
		rc = err_sys(e, dir < 0 && !beneath_refused() ? VIV_IO : VIV_CONFIG,
		    "cannot write to '%s/%s/%s'", WORLD_MUTABLE, ARTIFACT_SUGGESTIONS, j->owner);
	if (dir >= 0)
		close(dir);
	free(slug);
	free(path);
	return rc;
}

static int
save_plan(const struct world *w, const struct job *j, struct err *e)
{
	char *text = json_text(j->plan);
	int rc = file_mkdirs(w->fd, PUBLISH_DIR, 0777, e);

	if (rc == 0)
		rc = file_replace(w->fd, j->state, text, strlen(text), 0644, e);
	free(text);
	return rc;
}

static int
make_plan(const struct world *w, struct job *j, const cJSON *line, struct err *e)
{
	char now[CLOCK_TEXT];
	int rc;

	clock_utc(clock_wall(), now);
	j->plan = json_new();
	json_set_str(j->plan, "task_id", j->a.id);
	json_set_num(j->plan, "generation", (double)j->a.generation);
	json_set_str(j->plan, "identity_id", j->a.identity);
	json_set_str(j->plan, "identity_name", j->name);
	json_set_str(j->plan, "generated_at", now);
	json_set_str(j->plan, "text_sha256", j->hash);
	rc = plan_journal(w, j, e);
	if (rc == 0 && (rc = plan_asked(w, j, line, e)) == 0)
		rc = plan_default(w, j, e);
	json_set_bool(j->plan, "done", false);
	return rc >= 0 ? save_plan(w, j, e) : rc;
}

/* The plan of an earlier try: 0; -VIV_NO: there is none. */
static int
read_plan(const struct world *w, struct job *j, struct err *e)
{
	const char *hash;
	int rc = conf_read(w->fd, j->state, &j->plan, e);

	if (rc != 0)
		return rc;
	hash = json_str(j->plan, "text_sha256");
	if (hash == NULL || strcmp(hash, j->hash) != 0)
		return err_set(e, VIV_CONFIG, "'%s': another result was published for this attempt",
		    j->state);
	if (json_str(j->plan, "generated_at") == NULL ||
	    json_str(json_obj(j->plan, "journal"), "path") == NULL ||
	    json_str(json_obj(j->plan, "doc"), "path") == NULL)
		return err_set(e, VIV_CONFIG, "'%s': it is damaged", j->state);
	return 0;
}

/* --- carrying it out --- */

static int
write_target(const struct world *w, const struct job *j, const char *what, struct err *e)
{
	const cJSON *t = json_obj(j->plan, what);
	const char *path = json_str(t, "path"), *mode = json_str(t, "mode"), *base;
	off_t at = (off_t)json_num(t, "at", 0);
	struct buf record = {0};
	bool journal = false;
	int dir = -1, rc = artifact_check(path, j->owner, &journal, e);

	if (rc == 0 && (dir = beneath_open(w, path, &base)) < 0)
		rc = err_sys(e, VIV_IO, "cannot open the directory of '%s'", path);
	make_record(j, what, &record);
	if (rc == 0 && mode != NULL && strcmp(mode, "append") == 0)
		rc = beneath_append(dir, base, at, &record, journal ? 0600 : 0666, e);
	else if (rc == 0 && beneath_size_at(dir, base) < 0)
		rc = err_set(e, VIV_REFUSED, "'%s' is no file of its own", path);
	else if (rc == 0)
		rc = file_replace(dir, base, record.p, record.len, 0644, e);
	if (dir >= 0)
		close(dir);
	buf_free(&record);
	return rc;
}

static int
carry_out(const struct world *w, struct job *j, const cJSON *line, bool *repeated_out,
    struct err *e)
{
	int rc = read_plan(w, j, e);

	*repeated_out = rc == 0 && json_bool(j->plan, "done", false);
	if (rc == -VIV_NO)
		rc = make_plan(w, j, line, e);
	if (rc != 0 || *repeated_out)
		return rc;
	rc = write_target(w, j, "journal", e);
	if (rc == 0)
		rc = write_target(w, j, "doc", e);
	if (rc == 0) {
		json_set_bool(j->plan, "done", true);
		rc = save_plan(w, j, e);
	}
	return rc;
}

/* The line's "share": where it went, and what was refused. */
static void
tell(cJSON *line, const struct job *j, bool repeated)
{
	static const char *const what[] = {"journal", "doc"};
	cJSON *share = json_new();

	for (size_t i = 0; i < 2; i++) {
		char *path = mem_fmt(
		    "%s/%s", WORLD_MUTABLE, json_str(json_obj(j->plan, what[i]), "path"));

		json_set_str(share, what[i], path);
		free(path);
	}
	if (json_obj(j->plan, "refused") != NULL)
		json_set(share, "refused", cJSON_Duplicate(json_obj(j->plan, "refused"), true));
	json_set_bool(share, "repeated", repeated);
	json_set(line, "share", share);
}

/* --- the line --- */

static const char *
text_of(const cJSON *line)
{
	return json_str(json_obj(line, "result"), task_is_local(line) ? "stdout" : "text");
}

bool
publish_wanted(const cJSON *line)
{
	const cJSON *claim = json_obj(line, "claim");
	const char *id = json_str(line, "id");
	bool asked;

	artifact_asked(line, &asked);
	return strcmp(stage_status(line), "approved") == 0 && json_bool(line, "committed", false) &&
	    id != NULL && task_id_check(id, NULL) == 0 && json_num(claim, "generation", 0) >= 1 &&
	    (asked || !task_is_local(line)) && !artifact_blank(text_of(line));
}

/* What the identity is called; NULL when no file says so. The caller frees. */
static char *
name_of(const struct world *w, const char *identity)
{
	char *path = mem_fmt("%s/identities/%s.json", SWARM, identity), *name = NULL;
	char *slug = artifact_slug(identity, "");
	cJSON *v = NULL;
	struct err e;

	if (strcmp(slug, identity) == 0)
		conf_read(w->fd, path, &v, &e);
	if (json_str(v, "name") != NULL)
		name = mem_dup(json_str(v, "name"));
	cJSON_Delete(v);
	free(slug);
	free(path);
	return name;
}

int
publish_line(struct publish *p, cJSON *line, struct err *e)
{
	const cJSON *claim = json_obj(line, "claim");
	bool local = task_is_local(line), repeated = false;
	struct job j = {.a = {.id = json_str(line, "id"),
		.identity = json_str(claim, "identity_id"),
		.generation = json_int(claim, "generation", 0),
		.prompt = local ? task_command(line) : task_prompt(line),
		.text = text_of(line), .output = local}};
	int rc;

	if (j.a.identity != NULL && *j.a.identity == '\0')
		j.a.identity = NULL;
	j.owner = artifact_owner(j.a.identity != NULL ? j.a.identity : ARTIFACT_UNKNOWN);
	j.name = j.a.identity != NULL ? name_of(p->w, j.a.identity) : NULL;
	j.state = mem_fmt("%s/%s.%lld.json", PUBLISH_DIR, j.a.id, (long long)j.a.generation);
	file_sha256(j.a.text, strlen(j.a.text), j.hash);
	rc = p->lock.fd >= 0 ? 0 : lock_open(&p->lock, p->w->fd, SHARES_LOCK, e);
	if (rc == 0)
		rc = lock_take(&p->lock, LOCK_WAIT_MS, e);
	if (rc == 0) {
		rc = carry_out(p->w, &j, line, &repeated, e);
		lock_drop(&p->lock);
	}
	if (rc == 0)
		tell(line, &j, repeated);
	cJSON_Delete(j.plan);
	free(j.owner);
	free(j.name);
	free(j.state);
	return rc;
}

void
publish_open(struct publish *p, const struct world *w)
{
	*p = (struct publish){w, {.fd = -1}};
}

void
publish_close(struct publish *p)
{
	lock_close(&p->lock);
}
