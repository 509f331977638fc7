/*
 * heal: what can be wrong with a world, and putting it right: the files around the
 * board and the log.
 *
 * A check looks, decides, and repairs only when asked to. Repairs are such that
 * nothing is lost: what is removed was of use to nobody, what is replaced is kept. A
 * file that only people write is never touched, only named.
 */
#include "heal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "budget.h"
#include "conf.h"
#include "file.h"
#include "halt.h"
#include "json.h"
#include "layout.h"
#include "policy.h"
#include "price.h"
#include "publish.h"
#include "sweep.h"

enum { TEMP_AGE_S = 60 };

void
heal_say(struct heal *h, enum heal_severity s, const char *what, const char *where,
    const char *advice)
{
	h->errors += s == HEAL_ERROR;
	h->say(s, what, where, advice, h->arg);
}

void
heal_found(struct heal *h, int rc, const struct err *e, const char *what, const char *where,
    const char *will, const char *did)
{
	h->open += rc != 0;
	h->say(HEAL_REPAIR, what, where, rc == 0 ? did : rc < 0 ? e->msg : will, h->arg);
}

void
heal_free(struct heal *h)
{
	if (h->have_log) {
		fold_free(&h->fold);
		log_close(&h->log);
	}
	board_free(&h->board);
}

/* --- directories and modes --- */

static void
check_dir(struct heal *h, const struct layout_dir *d)
{
	struct stat st;
	struct err e;
	int rc = HEAL_LATER;

	if (fstatat(h->w->fd, d->path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (h->repair)
			rc = file_mkdirs(h->w->fd, d->path, d->mode, &e);
		heal_found(h, rc, &e, "missing directory", d->path, "viv-doctor -r makes it",
		    "made");
	} else if (!S_ISDIR(st.st_mode)) {
		heal_say(h, HEAL_ERROR, "not a directory", d->path,
		    "move it away and run viv-doctor -r");
	} else if ((d->mode & 0077) == 0 && (st.st_mode & 0077) != 0) {
		if (h->repair)
			rc = fchmodat(h->w->fd, d->path, d->mode, 0) == 0 ? 0 :
			    err_sys(&e, VIV_IO, "cannot set the mode");
		heal_found(h, rc, &e, "readable by others", d->path, "viv-doctor -r sets its mode",
		    "mode set");
	}
}

/* A file of meta/security that others can read. */
static int
check_secret(int dir, const char *name, void *arg)
{
	struct heal *h = arg;
	struct stat st;
	struct err e;
	char *path;
	int rc = HEAL_LATER;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode) ||
	    (st.st_mode & 0077) == 0)
		return 0;
	path = mem_fmt("%s/%s", WORLD_SECURITY, name);
	if (h->repair)
		rc = fchmodat(dir, name, st.st_mode & 0700, 0) == 0 ? 0 :
		    err_sys(&e, VIV_IO, "cannot set the mode");
	heal_found(h, rc, &e, "readable by others", path, "viv-doctor -r sets its mode",
	    "mode set");
	free(path);
	return 0;
}

void
heal_dirs(struct heal *h)
{
	struct err e;

	for (size_t i = 0; i < layout_count; i++)
		check_dir(h, &layout_dirs[i]);
	if (sweep_each(h->w, WORLD_SECURITY, check_secret, h, &e) != 0)
		heal_say(h, HEAL_ERROR, "unreadable directory", WORLD_SECURITY, e.msg);
	if (faccessat(h->w->fd, WORLD_TOKEN, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
		heal_say(h, HEAL_NOTE, "no token", WORLD_TOKEN, "viv-init makes one");
}

/* --- what people write --- */

void
heal_settings(struct heal *h)
{
	struct world_limits lim;
	struct policy *p = NULL;
	struct err e = {0};
	char reason[512] = "";
	bool set;

	set = faccessat(h->w->fd, WORLD_HALT, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (set && halt_on(h->w, reason, sizeof(reason))) {
		struct buf text = {0};
		cJSON *v = file_read(h->w->fd, WORLD_HALT, 65536, &text, NULL) == 0 ?
		    json_parse(text.p != NULL ? text.p : "", text.len, NULL) : NULL;

		if (cJSON_IsTrue(json_get(v, "halt")))
			heal_say(h, HEAL_NOTE, "halted", WORLD_HALT, reason);
		else
			heal_say(h, HEAL_ERROR, "damaged kill switch, so everything is halted",
			    WORLD_HALT, reason);
		cJSON_Delete(v);
		buf_free(&text);
	}
	if (halt_paused(h->w))
		heal_say(h, HEAL_NOTE, "paused", WORLD_PAUSE,
		    "no task is claimed while it is there");
	if (halt_pace(h->w, &e) < 0)
		heal_say(h, HEAL_ERROR, "damaged pace", WORLD_PACE, e.msg);
	if (world_limits(h->w, &lim, &e) != 0)
		heal_say(h, HEAL_ERROR, "damaged limits", WORLD_LIMITS, e.msg);
	if (policy_load(&p, h->w, &e) != 0)
		heal_say(h, HEAL_ERROR, "damaged policy, so every command is refused", WORLD_POLICY,
		    e.msg);
	else
		policy_free(p);
}

void
heal_money(struct heal *h)
{
	const struct ledger *book;
	struct budget_limits lim;
	struct price_list *prices;
	struct err e;

	if (budget_limits(h->w, &lim, &e) != 0)
		heal_say(
		    h, HEAL_ERROR, "damaged limits, so no model is called", BUDGET_FILE, e.msg);
	if (price_load(h->w, &prices, &e) != 0)
		heal_say(
		    h, HEAL_ERROR, "damaged prices, so no model is called", PRICE_WORLD, e.msg);
	else
		price_free(prices);
	if (budget_book(h->w, false, &book, &e) != 0)
		heal_say(h, HEAL_ERROR, "damaged book, so no model is called", LEDGER_FILE, e.msg);
}

/* --- what was to be published --- */

static int
check_share(int dir, const char *name, void *arg)
{
	struct heal *h = arg;
	cJSON *plan = NULL;
	struct err e;
	char *path;
	int rc;

	/* A younger one may be carried out just now. */
	if (file_is_temp(name) || sweep_age(dir, name) < TEMP_AGE_S)
		return 0;
	path = mem_fmt(PUBLISH_DIR "/%s", name);
	rc = conf_read(dir, name, &plan, &e);
	if (rc < 0 && rc != -VIV_NO)
		heal_say(
		    h, HEAL_ERROR, "damaged plan, so its result is not published", path, e.msg);
	else if (plan != NULL && !json_bool(plan, "done", false))
		heal_say(h, HEAL_NOTE, "published in part", path, "viv-share -a completes it");
	cJSON_Delete(plan);
	free(path);
	return 0;
}

void
heal_shares(struct heal *h)
{
	struct err e;

	if (sweep_each(h->w, PUBLISH_DIR, check_share, h, &e) != 0)
		heal_say(h, HEAL_ERROR, "unreadable directory", PUBLISH_DIR, e.msg);
}

/* --- litter --- */

struct litter {
	struct heal *h;
	const struct layout_dir *dir;
};

static int
check_temp(int dir, const char *name, void *arg)
{
	struct litter *l = arg;
	struct err e;
	char *path;
	int rc = HEAL_LATER;

	/* A younger one may be about to be renamed. */
	if (!file_is_temp(name) || sweep_age(dir, name) < TEMP_AGE_S)
		return 0;
	path = mem_fmt("%s/%s", l->dir->path, name);
	if (l->h->repair)
		rc = file_remove_tree(dir, name, &e);
	heal_found(l->h, rc, &e, "leftover temporary file", path, "viv-doctor -r removes it",
	    "removed");
	free(path);
	return 0;
}

static int
check_name(int dir, const char *name, void *arg)
{
	struct litter *l = arg;
	char *path;

	(void)dir;
	if (layout_knows(l->dir, name))
		return 0;
	path = mem_fmt("%s/%s", l->dir->path, name);
	heal_say(l->h, HEAL_NOTE, "not documented", path, "nothing here reads it");
	free(path);
	return 0;
}

static void
each_dir(struct heal *h, int (*fn)(int, const char *, void *))
{
	struct err e;

	for (size_t i = 0; i < layout_count; i++) {
		struct litter l = {h, &layout_dirs[i]};

		if (sweep_each(h->w, l.dir->path, fn, &l, &e) != 0 && errno != ENOTDIR)
			heal_say(h, HEAL_ERROR, "unreadable directory", l.dir->path, e.msg);
	}
}

void
heal_temp(struct heal *h)
{
	each_dir(h, check_temp);
}

void
heal_unknown(struct heal *h)
{
	if (h->verbose)
		each_dir(h, check_name);
}
