/*
 * jsonl: JSON Lines from a descriptor, one at a time, damage reported and survived.
 *
 * Input is read with plain read(2) into one buffer, so a stage can sit in poll(2)
 * and still hand out each line the moment it is complete. A damaged line costs that
 * line only: it is named on stderr and counted, and the next one is read.
 */
#include "jsonl.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "json.h"

int
jsonl_fill(struct jsonl *j, struct err *e)
{
	ssize_t n;

	if (j->at > 0) {
		buf_drop(&j->buf, j->at);
		j->at = 0;
	}
	buf_reserve(&j->buf, 65536);
	do
		n = read(j->fd, j->buf.p + j->buf.len, 65536);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, VIV_IO, "cannot read input");
	j->buf.len += (size_t)n;
	j->buf.p[j->buf.len] = '\0';
	j->eof = n == 0;
	return n > 0;
}

static void
damaged(struct jsonl *j, const char *what)
{
	err_warn("line %lu: %s", j->line, what);
	j->bad++;
}

static cJSON *
parse(struct jsonl *j, const char *s, size_t n)
{
	struct err e;
	cJSON *v;

	if (n > 0 && s[n - 1] == '\r')
		n--;
	if (strspn(s, " \t") >= n)
		return NULL;
	v = json_parse(s, n, &e);
	if (v == NULL) {
		const char *comma = strstr(e.msg, ", ");

		damaged(j, comma != NULL ? comma + 2 : e.msg);
		return NULL;
	}
	if (!cJSON_IsObject(v)) {
		damaged(j, "not a JSON object");
		cJSON_Delete(v);
		return NULL;
	}
	return v;
}

/* The rest without a newline: too long so far? */
static void
leftover(struct jsonl *j)
{
	size_t n = j->buf.len - j->at;

	if (n > JSONL_MAX || (j->skipping && n > 0)) {
		if (!j->skipping) {
			j->line++;
			damaged(j, "longer than 4 MiB");
		}
		j->skipping = true;
		j->at = j->buf.len;
	}
}

/* Input that ends without a newline: whole JSON counts, a torn line is damage. */
static cJSON *
last_line(struct jsonl *j)
{
	size_t n = j->buf.len - j->at;

	if (!j->eof || n == 0)
		return NULL;
	j->line++;
	j->at = j->buf.len;
	return parse(j, j->buf.p + j->buf.len - n, n);
}

cJSON *
jsonl_next(struct jsonl *j)
{
	for (;;) {
		size_t left = j->buf.len - j->at;
		char *s = j->buf.p + j->at;
		char *nl = left > 0 ? memchr(s, '\n', left) : NULL;
		cJSON *v;

		if (nl == NULL) {
			leftover(j);
			return last_line(j);
		}
		j->at += (size_t)(nl - s) + 1;
		if (j->skipping) {
			j->skipping = false;
			continue;
		}
		j->line++;
		if (nl - s > JSONL_MAX) {
			damaged(j, "longer than 4 MiB");
			continue;
		}
		v = parse(j, s, (size_t)(nl - s));
		if (v != NULL)
			return v;
	}
}

void
jsonl_free(struct jsonl *j)
{
	buf_free(&j->buf);
}

int
jsonl_write(int fd, const cJSON *v, struct err *e)
{
	struct buf b = {0};
	int rc;

	json_print(&b, v);
	buf_char(&b, '\n');
	rc = file_write(fd, b.p, b.len, "output", e);
	buf_free(&b);
	return rc;
}

bool
jsonl_reader_gone(int fd)
{
	struct pollfd p = {.fd = fd, .events = 0};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}
