/*
 * post_revive: bringing a dead task back, and taking one back that nobody runs. Both
 * are decisions from outside an attempt (commit_decide).
 *
 * A dead task that viv-tidy has archived goes back on the board first: should the
 * decision fail then, a dead task lies on the board, which the next viv-tidy archives.
 * It is looked for once more afterwards: a viv-tidy that took it off in between has
 * read the log before the decision, or sees it and puts the task back itself.
 */
#include "archive.h"
#include "commit.h"
#include "json.h"
#include "post.h"

#include <string.h>

static int
decide(struct post *p, const char *id, const char *status, const char *reason, struct err *e)
{
	const struct fold_task *t = fold_get(&p->fold, id);
	cJSON *event = json_new();
	int rc;

	json_set_str(event, "status", status);
	json_set_str(event, "reason", reason);
	rc = commit_decide(&p->log, id, "viv-add", fold_base(t), event, NULL, e);
	cJSON_Delete(event);
	return rc;
}

struct wanted {
	const char *id;
	cJSON *task;
};

static int
keep_last(const char *id, struct scan task, void *arg)
{
	struct wanted *x = arg;

	if (strcmp(id, x->id) == 0) {
		cJSON_Delete(x->task);
		x->task = json_parse(task.p, task.len, NULL);
	}
	return 0;
}

/* From the archive to the board, unless somebody else did it before us. */
static int
bring_back(struct post *p, const char *id, bool dry, struct err *e)
{
	struct wanted x = {id, NULL};
	int rc = archive_each(p->w, keep_last, &x, NULL, e);

	if (rc == 0 && x.task == NULL)
		rc = err_set(e, VIV_NO, "task '%s' is neither on the board nor in '%s'", id,
		    WORLD_ARCHIVE);
	if (rc == 0 && !dry && (rc = post_begin(p, e)) == 0) {
		if (board_find(&p->board, id) < 0)
			rc = board_append(&p->board, p->w, &x.task, 1, e);
		post_end(p);
	}
	cJSON_Delete(x.task);
	return rc;
}

int
post_kick(struct post *p, const char *id, bool dry, struct err *e)
{
	const struct fold_task *t = fold_get(&p->fold, id);
	int rc;

	if (t == NULL && board_find(&p->board, id) < 0)
		return err_set(e, VIV_NO, "task '%s' is unknown", id);
	if (!fold_dead(t))
		return err_set(e, VIV_NO, "task '%s' is not dead", id);
	if (board_find(&p->board, id) < 0 && (rc = bring_back(p, id, dry, e)) != 0)
		return rc;
	if (dry || (rc = decide(p, id, "queued", "kicked", e)) != 0)
		return rc;
	rc = board_load(&p->board, p->w, e);
	return rc < 0 ? rc : board_find(&p->board, id) < 0 ? bring_back(p, id, false, e) : 0;
}

int
post_withdraw(struct post *p, const char *id, bool dry, struct err *e)
{
	const struct fold_task *t = fold_get(&p->fold, id);

	if (t == NULL && board_find(&p->board, id) < 0)
		return err_set(e, VIV_NO, "task '%s' is unknown", id);
	if (fold_done(t) || fold_dead(t))
		return err_set(
		    e, VIV_NO, "task '%s' is %s already", id, fold_done(t) ? "done" : "dead");
	return dry ? 0 : decide(p, id, "failed", "withdrawn", e);
}
