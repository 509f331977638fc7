/*
 * sse_test: every stream of the table gives the same events however it is cut: whole, at
 * each single place, and byte by byte.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "sse.h"

static int failures;

/* stream, and its events with "|" behind each; what sse_end adds follows "#". */
static const char *const table[][2] = {
    {"data: a\n\n", "a|#"},
    {"data: a\r\n\r\n", "a|#"},
    {"data: a\r\r", "a|#"},
    {"data: a\n\ndata: b\n\n", "a|b|#"},
    {"data: a\r\n\r\ndata: b\r\n\r\n", "a|b|#"},
    {"data: a\ndata: b\n\n", "a\nb|#"},
    {"data:a\ndata:  b\n\n", "a\n b|#"},
    {"data\n\n", "|#"},
    {"data:\n\n", "|#"},
    {": comment\n\ndata: a\n\n", "a|#"},
    {"event: x\nid: 7\nretry: 10\ndata: a\n\n", "a|#"},
    {"event: x\n\n", "#"},
    {"database: x\n\n", "#"},
    {"\n\n\r\n\r\r\n", "#"},
    {"\xef\xbb\xbf" "data: a\n\n", "a|#"},
    {"data: a\n\n\xef\xbb\xbf" "data: b\n\n", "a|#"},
    {"data: Gr\xc3\xbc\xc3\x9f \xe4\xb8\x96\n\n", "Gr\xc3\xbc\xc3\x9f \xe4\xb8\x96|#"},
    {"data: a\n", "#a|"},			/* no blank line: its lines are whole */
    {"data: a\n\ndata: b", "a|#"},		/* a torn line is none */
    {"data: a\ndata: b", "#a|"},
    {"data: [DONE]\r\n", "#[DONE]|"},
    {"", "#"},
};

static int
collect(const char *data, size_t n, void *arg, struct err *e)
{
	(void)e;
	if (strlen(data) != n)
		return 5;
	buf_add(arg, data, n);
	buf_char(arg, '|');
	return strcmp(data, "stop") == 0 ? 7 : 0;
}

/* Feed in pieces: cut at `at`, or in pieces of `step` bytes. */
static void
check(size_t row, size_t at, size_t step)
{
	const char *s = table[row][0];
	size_t n = strlen(s);
	struct sse sse = {0};
	struct buf out = {0};
	struct err e;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0;) {
		size_t len = step > 0 ? step : i < at ? at - i : n - i;

		len = len > n - i ? n - i : len;
		rc = sse_feed(&sse, s + i, len, collect, &out, &e);
		i += len;
	}
	buf_char(&out, '#');
	if (rc == 0)
		rc = sse_end(&sse, collect, &out, &e);
	if (rc != 0 || strcmp(out.p, table[row][1]) != 0) {
		failures++;
		printf("row %zu, cut %zu, step %zu: %d '%s' instead of '%s'\n", row, at, step, rc,
		    out.p, table[row][1]);
	}
	sse_free(&sse);
	buf_free(&out);
}

/* What fn returns ends the feeding; a line without an end is refused, not kept. */
static void
bounds(void)
{
	struct sse sse = {0};
	struct buf out = {0};
	struct err e;
	char block[4096];
	size_t fed = 0;
	int rc = sse_feed(&sse, "data: stop\n\ndata: b\n\n", 21, collect, &out, &e);

	if (rc != 7 || strcmp(out.p, "stop|") != 0) {
		failures++;
		printf("the callback's %d did not end it: '%s'\n", rc, out.p);
	}
	sse_free(&sse);
	memset(block, 'x', sizeof(block));
	for (rc = 0; rc == 0 && fed < (size_t)4 * SSE_EVENT_MAX; fed += sizeof(block))
		rc = sse_feed(&sse, block, sizeof(block), collect, &out, &e);
	if (rc != -VIV_CONFIG || fed > SSE_EVENT_MAX + sizeof(block)) {
		failures++;
		printf("a line of %zu bytes was taken\n", fed);
	}
	sse_free(&sse);
	for (rc = 0, fed = 0; rc == 0 && fed < (size_t)4 * SSE_EVENT_MAX; fed += 1000) {
		memcpy(block, "data: ", 6);
		block[999] = '\n';
		rc = sse_feed(&sse, block, 1000, collect, &out, &e);
	}
	if (rc != -VIV_CONFIG || fed > SSE_EVENT_MAX + 100000) {
		failures++;
		printf("an event of %zu bytes was taken\n", fed);
	}
	sse_free(&sse);
	buf_free(&out);
}

int
main(void)
{
	for (size_t row = 0; row < sizeof(table) / sizeof(table[0]); row++) {
		for (size_t at = 0; at <= strlen(table[row][0]); at++)
			check(row, at, 0);
		check(row, 0, 1);
		check(row, 0, 2);
	}
	bounds();
	return failures > 0;
}
