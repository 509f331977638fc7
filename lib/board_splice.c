/*
 * board_splice: tasks added to the text of a board, every byte that was there kept.
 *
 * New tasks stand one a line, so that cat, grep and diff work: behind the last item
 * and indented like the first, or in place of an empty "tasks". A board that holds
 * nothing at all becomes the seeded one of reference core.md 1.2.
 */
#include "board.h"

#include <string.h>

#include "json.h"

/* The blanks before p on its line, when there is nothing else before it. */
static size_t
indent_of(const char *text, const char *p)
{
	size_t n = 0;

	while (p > text && (p[-1] == ' ' || p[-1] == '\t')) {
		p--;
		n++;
	}
	return p > text && p[-1] == '\n' ? n : 0;
}

static void
put_tasks(struct buf *out, cJSON *const *tasks, size_t n, const char *indent, size_t width)
{
	for (size_t i = 0; i < n; i++) {
		buf_str(out, i > 0 ? ",\n" : "\n");
		buf_add(out, indent, width);
		json_print(out, tasks[i]);
	}
}

static void
put_list(struct buf *out, cJSON *const *tasks, size_t n)
{
	buf_char(out, '[');
	put_tasks(out, tasks, n, "    ", n > 0 ? 4 : 0);
	buf_str(out, n > 0 ? "\n  ]" : "]");
}

/* Behind the last item of a list that has some. */
static void
put_behind(struct buf *out, const char *text, const char *end, struct scan list,
    cJSON *const *tasks, size_t n)
{
	struct scan first = {0}, last = {0}, item;
	size_t at = 0, width;
	const char *tail, *indent;

	while (scan_item(list, &at, &item)) {
		if (first.p == NULL)
			first = item;
		last = item;
	}
	tail = last.p + last.len;
	width = indent_of(text, first.p);
	indent = first.p - width;
	if (width == 0) {
		indent = "    ";
		width = 4;
	}
	buf_add(out, text, (size_t)(tail - text));
	buf_char(out, ',');
	put_tasks(out, tasks, n, indent, width);
	if (memchr(tail, '\n', (size_t)(list.p + list.len - tail)) == NULL)
		buf_str(out, "\n  ");
	buf_add(out, tail, (size_t)(end - tail));
}

void
board_splice(const char *text, size_t len, cJSON *const *tasks, size_t n, struct buf *out)
{
	struct scan top = scan_text(text, len), list = {0}, item, value;
	const char *end = text + len;
	size_t at = 0;

	if (top.kind == '{')
		list = scan_get(top, "tasks");
	if (top.kind != '{' || !scan_member(top, &at, &item, &value)) {
		buf_str(out,
		    "{\n  \"version\": \"1.1\",\n  \"api_endpoint\": \"http://127.0.0.1:8420\",\n"
		    "  \"tasks\": ");
		put_list(out, tasks, n);
		buf_str(out, ",\n  \"completed\": [],\n  \"failed\": []\n}\n");
		return;
	}
	at = 0;
	if (list.kind == '[' && scan_item(list, &at, &item)) {
		put_behind(out, text, end, list, tasks, n);
	} else if (list.kind != '\0') {
		buf_add(out, text, (size_t)(list.p - text));
		put_list(out, tasks, n);
		buf_add(out, list.p + list.len, (size_t)(end - list.p) - list.len);
	} else {
		buf_add(out, text, (size_t)(top.p - text) + 1);
		buf_str(out, "\n  \"tasks\": ");
		put_list(out, tasks, n);
		buf_char(out, ',');
		buf_add(out, top.p + 1, (size_t)(end - top.p) - 1);
	}
}
