/*
 * sse: server-sent events (HTML Living Standard 9.2) out of a byte stream.
 *
 * A line ends with CR, LF or CRLF, and a chunk may end between the two bytes of the
 * latter: the CR ends the line at once, and a LF right behind it is swallowed, so that no
 * event waits for a byte that may never come. "data" fields of one event are joined by
 * newlines; a blank line hands the event out; comments (":...", sent to keep connections
 * alive) and other fields are passed over. The unfinished line and the unfinished event are
 * all that is kept.
 */
#include "sse.h"

#include <string.h>

static int
hand_out(struct sse *s, sse_fn *fn, void *arg, struct err *e)
{
	int rc;

	if (s->data.len == 0)
		return 0;
	s->data.p[--s->data.len] = '\0';	/* the last newline is not data */
	rc = fn(s->data.p, s->data.len, arg, e);
	buf_clear(&s->data);
	return rc;
}

static int
end_line(struct sse *s, sse_fn *fn, void *arg, struct err *e)
{
	const char *p = s->line.p != NULL ? s->line.p : "";
	size_t n = s->line.len;
	int rc = 0;

	if (!s->begun && n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		p += 3;
		n -= 3;
	}
	s->begun = true;
	if (n == 0) {
		rc = hand_out(s, fn, arg, e);
	} else if (n >= 4 && memcmp(p, "data", 4) == 0 && (n == 4 || p[4] == ':')) {
		size_t skip = n == 4 ? 4 : n > 5 && p[5] == ' ' ? 6 : 5;

		if (s->data.len + n > SSE_EVENT_MAX)
			return err_set(e, VIV_CONFIG, "an event is longer than 1 MiB");
		buf_add(&s->data, p + skip, n - skip);
		buf_char(&s->data, '\n');
	}
	buf_clear(&s->line);
	return rc;
}

int
sse_feed(struct sse *s, const char *p, size_t n, sse_fn *fn, void *arg, struct err *e)
{
	while (n > 0) {
		size_t len = 0;
		int rc;

		if (s->cr && *p == '\n') {
			s->cr = false;
			p++;
			n--;
			continue;
		}
		s->cr = false;
		while (len < n && p[len] != '\n' && p[len] != '\r')
			len++;
		if (s->line.len + len > SSE_EVENT_MAX)
			return err_set(e, VIV_CONFIG, "a line is longer than 1 MiB");
		buf_add(&s->line, p, len);
		if (len == n)
			break;
		s->cr = p[len] == '\r';
		p += len + 1;
		n -= len + 1;
		rc = end_line(s, fn, arg, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
sse_end(struct sse *s, sse_fn *fn, void *arg, struct err *e)
{
	buf_clear(&s->line);
	return hand_out(s, fn, arg, e);
}

void
sse_free(struct sse *s)
{
	buf_free(&s->line);
	buf_free(&s->data);
	*s = (struct sse){0};
}
