/*
 * post_revive: bringing a dead task back, and taking one back that nobody runs. Both
 * are decisions from outside an attempt (commit_decide).
 */
#include "commit.h"
#include "json.h"
#include "post.h"

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

int
post_kick(struct post *p, const char *id, bool dry, struct err *e)
{
	const struct fold_task *t = fold_get(&p->fold, id);

	if (t == NULL && board_find(&p->board, id) < 0)
		return err_set(e, VIV_NO, "task '%s' is unknown", id);
	if (!fold_dead(t))
		return err_set(e, VIV_NO, "task '%s' is not dead", id);
	if (board_find(&p->board, id) < 0)
		return err_set(e, VIV_NO, "task '%s' is no longer on the board", id);
	return dry ? 0 : decide(p, id, "queued", "kicked", e);
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
