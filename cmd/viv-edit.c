/*
 * viv-edit: edit the board as crontab -e edits a crontab.
 *
 * The editor works on a copy and holds no lock, so it may stay open all day. What it
 * leaves is merged, under the lock, with what the board has become since (by task,
 * lib/board_merge.c), and only what the edit added or changed is checked, strictly.
 * Nothing is written unless all of it is right; then the edited text stays in its
 * file, which is named, and on a terminal the editor opens again if one wants.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "opt.h"
#include "post.h"
#include "slot.h"
#include "world.h"

#define USAGE "viv-edit [-nq] [-C DIR]"

enum { TRIES = 8, PAUSE_MS = 100 };

struct edit {
	struct world w;
	struct board base, mine;
	char *file;		/* what the editor works on */
	bool dry, quiet;
	size_t added, changed, removed;
};

/* --- the editor --- */

static const char *
editor(void)
{
	const char *s = getenv("VISUAL");

	if (s == NULL || *s == '\0')
		s = getenv("EDITOR");
	return s != NULL && *s != '\0' ? s : "vi";
}

/* The editor's text is a command line, as everywhere: "emacs -nw" works. */
static int
run_editor(const struct edit *ed, struct err *e)
{
	char *line = mem_fmt("%s \"$1\"", editor());
	void (*in)(int) = signal(SIGINT, SIG_IGN), (*quit)(int) = signal(SIGQUIT, SIG_IGN);
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		execl("/bin/sh", "sh", "-c", line, "viv-edit", ed->file, (char *)NULL);
		_exit(VIV_NOTFOUND);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	signal(SIGINT, in);
	signal(SIGQUIT, quit);
	free(line);
	if (pid < 0)
		return err_sys(e, VIV_IO, "cannot start '%s'", editor());
	if (status != 0)
		return err_set(e, VIV_NO, "'%s' ended with %s %d", editor(),
		    WIFEXITED(status) ? "exit status" : "signal",
		    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return 0;
}

static int
make_copy(struct edit *ed, struct err *e)
{
	const char *dir = getenv("TMPDIR");
	int fd, rc;

	ed->file = mem_fmt("%s/viv-edit.XXXXXX.json", dir != NULL && *dir != '\0' ? dir : "/tmp");
	fd = mkostemps(ed->file, (int)strlen(".json"), O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, VIV_CANTCREAT, "cannot create '%s'", ed->file);
	rc = file_write(fd, ed->base.text.p, ed->base.text.len, ed->file, e);
	if (close(fd) != 0 && rc == 0)
		rc = err_sys(e, VIV_IO, "cannot write '%s'", ed->file);
	if (rc != 0)
		unlink(ed->file);
	return rc;
}

/* What the editor left: 0, -VIV_NO when it is what it was given. */
static int
read_copy(struct edit *ed, struct err *e)
{
	struct buf text = {0};
	int rc = file_read(AT_FDCWD, ed->file, BOARD_MAX, &text, e);

	board_free(&ed->mine);
	if (rc == 0 && text.len == ed->base.text.len &&
	    memcmp(text.p, ed->base.text.p, text.len) == 0)
		rc = -VIV_NO;
	else if (rc == 0)
		rc = board_parse(&ed->mine, &text, e);
	else
		rc = -VIV_IO;
	if (rc == 0 && ed->mine.trouble != NULL &&
	    (ed->base.trouble == NULL || strcmp(ed->base.trouble, ed->mine.trouble) != 0))
		rc = err_set(
		    e, VIV_CONFIG, "%.*s", (int)strcspn(ed->mine.trouble, "\n"), ed->mine.trouble);
	buf_free(&text);
	return rc;
}

/* --- checking --- */

static int
check_task(struct post *p, const struct board *after, size_t i, bool is_new, struct err *e)
{
	cJSON *t = board_task(after, i);
	char *why;
	int rc = is_new ? post_check(p, t, e) : task_check(t, &p->lim, e);

	if (rc != 0) {
		err_prefix(e, "task '%s'", after->v[i].id);
	} else if ((why = post_links(p, after, i)) != NULL) {
		rc = err_set(e, VIV_CONFIG, "task '%s' %s", after->v[i].id, why);
		free(why);
	}
	cJSON_Delete(t);
	return rc;
}

/* A task that somebody runs now cannot be taken off the board. */
static int
check_removed(struct post *p, const char *id, struct err *e)
{
	const struct fold_task *t = fold_get(&p->fold, id);
	struct slot s;
	int rc = slot_last(p->w, id, fold_base(t), &s, e);

	if (rc == 0 && s.kind == SLOT_CLAIM && slot_judge(p->w, id, &s) == SLOT_HELD)
		rc = err_set(e, VIV_REFUSED, "task '%s' cannot be removed: '%s' is working on it",
		    id, s.resident);
	return rc;
}

/* Everything that differs from the board as it is now; new ones are counted in. */
static int
check(struct edit *ed, struct post *p, const struct board *after, struct err *e)
{
	int rc = 0;

	ed->added = ed->changed = ed->removed = 0;
	for (size_t i = 0; rc == 0 && i < after->n; i++) {
		long now = board_find(&p->board, after->v[i].id);

		if (now >= 0 && board_same(after->v[i].text, p->board.v[now].text))
			continue;
		ed->added += now < 0;
		ed->changed += now >= 0;
		rc = check_task(p, after, i, now < 0, e);
	}
	for (size_t i = 0; rc == 0 && i < p->board.n; i++)
		if (board_find(after, p->board.v[i].id) < 0) {
			ed->removed++;
			rc = check_removed(p, p->board.v[i].id, e);
		}
	return rc == 0 && ed->added > 0 ? post_limit(p, ed->added, e) : rc;
}

/* --- writing --- */

static int
record(struct edit *ed, struct post *p, const struct board *after, struct err *e)
{
	cJSON **new = mem_zero(ed->added, sizeof(*new));
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < after->n; i++)
		if (board_find(&p->board, after->v[i].id) < 0)
			new[n++] = board_task(after, i);
	rc = n > 0 ? post_record(p, "viv-edit", new, n, e) : 0;
	while (n > 0)
		cJSON_Delete(new[--n]);
	free(new);
	return rc == 0 ? 0 : err_prefix(e, "the board is saved, but not in the log");
}

static int
save_once(struct edit *ed, struct post *p, bool *saved, struct err *e)
{
	struct board after = {0};
	struct buf text = {0};
	int rc;

	if (ed->base.trouble != NULL && (ed->base.text.len != p->board.text.len ||
	    memcmp(ed->base.text.p, p->board.text.p, p->board.text.len) != 0))
		return err_set(e, VIV_CONFIG,
		    "'%s' was changed by somebody else and has damaged tasks", WORLD_QUEUE);
	rc = board_merge(&ed->base, &ed->mine, &p->board, &text, e);
	if (rc == 0)
		rc = board_parse(&after, &text, e);
	if (rc == 0)
		rc = check(ed, p, &after, e);
	if (rc == 0 && !ed->dry) {
		rc = board_replace(&p->board, &ed->w, after.text.p, after.text.len, e);
		*saved = rc == 0;
		if (rc == 0)
			rc = record(ed, p, &after, e);
	}
	board_free(&after);
	buf_free(&text);
	return rc;
}

static int
save(struct edit *ed, bool *saved, struct err *e)
{
	struct post p;
	int rc = post_open(&p, &ed->w, !ed->dry, e);

	*saved = false;
	if (rc != 0)
		return rc;
	for (int try = 0;; try++) {
		rc = post_begin(&p, e);
		if (rc != 0)
			break;
		rc = save_once(ed, &p, saved, e);
		post_end(&p);
		if (rc != -VIV_TEMPFAIL || *saved || try == TRIES)
			break;
		clock_sleep_ms(PAUSE_MS);
	}
	post_close(&p);
	return rc;
}

/* --- the loop --- */

static bool
again(void)
{
	char line[16];

	if (!isatty(STDIN_FILENO))
		return false;
	fprintf(stderr, "edit again? [y/N] ");
	return fgets(line, sizeof(line), stdin) != NULL && (line[0] == 'y' || line[0] == 'Y');
}

static int
finish(struct edit *ed, int rc, const struct err *e)
{
	if (rc != 0) {
		/* an editor that saves by rename has made a new file, with its own mode */
		if (chmod(ed->file, 0600) == 0)
			err_warn("your text is kept in '%s'", ed->file);
		return rc == -VIV_CONFIG ? VIV_NO : -rc;
	}
	if (unlink(ed->file) != 0)
		err_warn("cannot remove '%s': %s", ed->file, strerror(errno));
	if (e == NULL && !ed->quiet)
		err_warn("no change");
	else if (!ed->quiet)
		err_warn("%s%zu added, %zu changed, %zu removed", ed->dry ? "would be: " : "",
		    ed->added, ed->changed, ed->removed);
	return 0;
}

static int
edit(struct edit *ed)
{
	struct err e = {0};
	bool saved = false;
	int rc = make_copy(ed, &e);

	if (rc != 0)
		err_die(&e);
	for (;;) {
		rc = run_editor(ed, &e);
		if (rc == 0 && (rc = read_copy(ed, &e)) == -VIV_NO)
			return finish(ed, 0, NULL);
		if (rc == 0)
			rc = save(ed, &saved, &e);
		if (rc == 0)
			return finish(ed, 0, &e);
		err_warn("%s", e.msg);
		if (saved || !again())
			return finish(ed, rc, &e);
	}
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"dry-run", no_argument, NULL, 'n'}, {"quiet", no_argument, NULL, 'q'}, {0}};
	struct edit ed = {.w = {.fd = -1}};
	struct err e = {0};
	int c, rc;

	opt_init(argc, argv, USAGE);
	while ((c = opt_next(argc, argv, "nq", longs)) != -1) {
		ed.dry |= c == 'n';
		ed.quiet |= c == 'q';
	}
	if (optind < argc)
		opt_usage("nothing to name: there is one board");
	if (world_open(&ed.w, opt_world, &e) != 0 || board_load(&ed.base, &ed.w, &e) < 0)
		err_die(&e);
	rc = edit(&ed);
	board_free(&ed.base);
	board_free(&ed.mine);
	free(ed.file);
	world_close(&ed.w);
	return opt_end(rc);
}
