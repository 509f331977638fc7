/*
 * follow: the board as it changes.
 *
 * A terminal is drawn over from its upper left corner, without clearing it first and
 * without the alternate screen: no flicker, and the last picture stays. Elsewhere the
 * states of before are kept with their ids, because positions change with the board.
 */
#include "follow.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "utf8.h"
#include "watch.h"

enum { PAUSE_MS = 100 };	/* least time between two pictures */

static volatile sig_atomic_t stop;

static void
on_signal(int sig)
{
	stop = sig != SIGWINCH;
}

static int
next_look(struct standing *s, struct err *e)
{
	int rc = standing_look(s, e);

	return rc == -VIV_TEMPFAIL ? 0 : rc;
}

/* --- a terminal --- */

/* As many lines of the picture as fit, each clearing the rest of its row. */
static int
draw(const struct buf *picture, size_t rows, struct err *e)
{
	struct buf out = {0};
	const char *p = picture->p, *end = picture->p + picture->len;
	int rc;

	buf_str(&out, "\033[H");
	for (size_t n = 1; p < end && n < rows; n++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		buf_add(&out, p, (size_t)(nl - p));
		buf_str(&out, "\033[K\n");
		p = nl + 1;
	}
	buf_str(&out, "\033[J");
	rc = file_write(STDOUT_FILENO, out.p, out.len, "output", e);
	buf_free(&out);
	return rc;
}

static int
picture(struct standing *s, struct table_look *look, struct err *e)
{
	struct winsize size = {0};
	struct buf b = {0};
	int rc;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		look->cols = size.ws_col;
	table_print(s, look, &b);
	rc = draw(&b, size.ws_row > 1 ? size.ws_row : 24, e);
	buf_free(&b);
	return rc;
}

static bool
quit_key(void)
{
	char c = 'q';

	return read(STDIN_FILENO, &c, 1) <= 0 || c == 'q' || c == 'Q';
}

static int
follow_terminal(struct standing *s, struct table_look *look, int watch, struct err *e)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct termios was = {0}, raw;
	bool keys = tcgetattr(STDIN_FILENO, &was) == 0;
	int rc;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sigaction(SIGWINCH, &sa, NULL);
	raw = was;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	rc = picture(s, look, e);
	while (rc == 0 && !stop) {
		int seen = watch_wait(watch, WATCH_TICK_MS, keys);

		if (stop || (seen & WATCH_GONE) || ((seen & WATCH_INPUT) && quit_key()))
			break;
		clock_sleep_ms(PAUSE_MS);
		rc = next_look(s, e);
		if (rc >= 0)
			rc = picture(s, look, e);
	}
	if (keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &was);
	return rc;
}

/* --- elsewhere --- */

struct known {
	char *id;
	unsigned char state;
};

struct memory {
	struct known *v;	/* by id */
	size_t n;
};

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct known *)a)->id, ((const struct known *)b)->id);
}

static void
forget(struct memory *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].id);
	free(m->v);
	*m = (struct memory){0};
}

static void
remember(struct memory *m, const struct standing *s)
{
	forget(m);
	m->n = s->board.n;
	m->v = mem_alloc((m->n + 1) * sizeof(*m->v));
	for (size_t i = 0; i < m->n; i++)
		m->v[i] = (struct known){mem_dup(s->board.v[i].id), s->state[i]};
	qsort(m->v, m->n, sizeof(*m->v), by_id);
}

/* "TIME STATE ID WHO: REASON" */
static void
tell(const struct standing *s, size_t i, struct buf *out)
{
	enum standing_state st = (enum standing_state)s->state[i];
	const struct slot *holder = standing_holder(s, i);
	char now[CLOCK_TEXT], safe[1200] = "", *reason = standing_reason(s, i), *text;

	clock_utc(clock_wall(), now);
	text = mem_fmt("%.19sZ %s %s%s%s%s%s", now, standing_key(st), s->board.v[i].id,
	    holder != NULL ? " " : "", holder != NULL ? holder->resident : "",
	    reason != NULL ? ": " : "", reason != NULL ? reason : "");
	utf8_printable(safe, sizeof(safe), text, strlen(text));
	buf_fmt(out, "%s\n", safe);
	free(text);
	free(reason);
}

/* first: who is finished is not worth a line. */
static int
tell_changes(const struct standing *s, struct memory *m, bool first, struct err *e)
{
	struct buf out = {0};
	int rc = 0;

	for (size_t i = 0; i < s->board.n; i++) {
		struct known key = {s->board.v[i].id, 0};
		const struct known *k = m->n == 0 ? NULL :
		    bsearch(&key, m->v, m->n, sizeof(*m->v), by_id);

		if (first ? s->state[i] < STANDING_APPROVED : k == NULL || k->state != s->state[i])
			tell(s, i, &out);
	}
	if (out.len > 0)
		rc = file_write(STDOUT_FILENO, out.p, out.len, "output", e);
	if (out.len > 0 || first)
		remember(m, s);
	buf_free(&out);
	return rc;
}

static int
follow_lines(struct standing *s, int watch, struct err *e)
{
	struct memory m = {0};
	int rc = tell_changes(s, &m, true, e);

	while (rc == 0 && !(watch_wait(watch, WATCH_TICK_MS, false) & WATCH_GONE)) {
		rc = next_look(s, e);
		if (rc >= 0)
			rc = tell_changes(s, &m, false, e);
	}
	forget(&m);
	return rc;
}

int
follow_run(struct standing *s, struct table_look *look, int watch, struct err *e)
{
	if (isatty(STDOUT_FILENO))
		return follow_terminal(s, look, watch, e);
	return follow_lines(s, watch, e);
}
