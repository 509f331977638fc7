/*
 * ledger_cache: .cache/ledger, so that one call does not read every call there ever
 * was. JSON Lines: a head with the place read up to and the hash of the bytes before
 * it, one array a sum, one object an open call or a pause, and a last line that says
 * how many. It is believed only when it is whole and the book still ends there as it
 * did; otherwise the book is read from its start.
 */
#include "ledger.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "file.h"
#include "json.h"

#define CACHE WORLD_CACHE "/ledger"

enum { WORTH = 128 * 1024, CACHE_MAX = 256 << 20, TAIL = 256, KEPT_DAYS = 7 };
enum { TOTAL, DAY, RESIDENT, TASK, MODEL };

/* The hash of the bytes before the place. */
static bool
tail_hash(const struct ledger *l, char out[FILE_SHA256])
{
	off_t from = l->offset > TAIL ? l->offset - TAIL : 0;
	char name[LEDGER_NAME];
	struct buf b = {0};
	bool ok = ledger_place(l, name) >= 0 &&
	    file_read_at(l->w->fd, name, from, (size_t)(l->offset - from), &b, NULL) == 0;

	if (ok)
		file_sha256(b.p != NULL ? b.p : "", b.len, out);
	buf_free(&b);
	return ok;
}

/* --- saving --- */

static void
put_sum(struct buf *b, int kind, const struct sum *s)
{
	cJSON *name = cJSON_CreateString(s->name != NULL ? s->name : "");

	buf_fmt(b, "[%d,", kind);
	json_print(b, name);
	buf_fmt(b, ",%lld,%lld,%lld,%lld,%lld,%lld]\n", (long long)s->spent,
	    (long long)s->reserved, (long long)s->calls, (long long)s->unpriced,
	    (long long)s->input, (long long)s->output);
	cJSON_Delete(name);
}

static size_t
put_sums(struct buf *b, const struct ledger *l)
{
	const struct sums *all[] = {[DAY] = &l->day, [RESIDENT] = &l->resident, [TASK] = &l->task,
	    [MODEL] = &l->model};
	size_t lines = 1;

	put_sum(b, TOTAL, &l->total);
	for (int kind = DAY; kind <= MODEL; kind++)
		for (size_t i = 0; i < all[kind]->n; i++, lines++)
			put_sum(b, kind, all[kind]->v[i]);
	return lines;
}

static void
put_call(struct buf *b, const struct ledger_call *c)
{
	cJSON *o = json_new();

	json_set_str(o, "event", "API_CALL_RESERVED");
	json_set_str(o, "call", c->id);
	json_set_str(o, "day", c->day);
	json_set_str(o, "task_id", c->task);
	json_set_str(o, "resident_id", c->resident);
	json_set_str(o, "model", c->model);
	json_set_str(o, "provider", c->provider);
	json_set_num(o, "reserved_microusd", (double)c->amount);
	json_set_bool(o, "unpriced", c->unpriced);
	json_set_bool(o, "forfeited", c->forfeited);
	json_set_num(o, "until", c->until);
	json_set_str(o, "host", c->host);
	json_set_str(o, "boot_id", c->boot_id);
	json_set_num(o, "pid", (double)c->pid);
	json_set_num(o, "pid_start", (double)c->pid_start);
	json_set_num(o, "pid_ns", (double)c->pid_ns);
	json_print(b, o);
	buf_char(b, '\n');
	cJSON_Delete(o);
}

static void
put_moment(cJSON *o, const struct ledger_moment *m)
{
	char text[CLOCK_TEXT];

	clock_utc(m->wall, text);
	json_set_str(o, "timestamp", text);
	json_set_num(o, "boot_ns", (double)m->boot_ns);
	json_set_str(o, "boot_id", m->boot_id);
}

static void
put_pause(struct buf *b, const struct ledger_pause *p)
{
	cJSON *o = json_new();

	json_set_str(o, "event", "PROVIDER_PAUSE");
	json_set_str(o, "provider", p->provider);
	json_set_num(o, "seconds", p->seconds);
	put_moment(o, &p->at);
	json_print(b, o);
	buf_char(b, '\n');
	cJSON_Delete(o);
}

static void
put_head(struct buf *b, const struct ledger *l, const char *tail)
{
	cJSON *o = json_new();

	json_set_num(o, "version", 1);
	json_set_num(o, "ino", (double)l->ino);
	json_set_num(o, "offset", (double)l->offset);
	json_set_str(o, "tail", tail);
	json_set_num(o, "rate_left", l->rate_left);
	put_moment(o, &l->rate_at);
	json_print(b, o);
	buf_char(b, '\n');
	cJSON_Delete(o);
}

void
ledger_cache_save(struct ledger *l)
{
	double old = clock_wall() - KEPT_DAYS * 86400.0;
	char tail[FILE_SHA256], *tmp;
	struct buf b = {0};
	size_t lines = 0;
	int fd;

	if (l->offset - l->cached < WORTH || l->ino > (uint64_t)1 << 53 ||
	    world_cache_dir(l->w, "", NULL) != 0 || !tail_hash(l, tail))
		return;
	put_head(&b, l, tail);
	lines += put_sums(&b, l);
	for (size_t i = 0; i < l->ncall; i++)
		if (!l->call[i]->forfeited || l->call[i]->until > old) {
			put_call(&b, l->call[i]);
			lines++;
		}
	for (size_t i = 0; i < l->npause; i++, lines++)
		put_pause(&b, &l->pause[i]);
	buf_fmt(&b, "{\"end\":%zu}\n", lines);
	/* Unsynced: what a crash leaves of it is not believed. */
	tmp = file_temp_name(CACHE);
	fd = openat(l->w->fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && (file_write(fd, b.p, b.len, CACHE, NULL) != 0 || close(fd) != 0 ||
	    renameat(l->w->fd, tmp, l->w->fd, CACHE) != 0))
		unlinkat(l->w->fd, tmp, 0);
	else if (fd >= 0)
		l->cached = l->offset;
	free(tmp);
	buf_free(&b);
}

/* --- loading --- */

static int64_t
item_whole(struct scan arr, size_t *at)
{
	struct scan v;

	return scan_item(arr, at, &v) ? llround(scan_number(v, 0)) : 0;
}

static bool
take_sum(struct ledger *l, struct scan arr)
{
	struct sums *all[] = {[DAY] = &l->day, [RESIDENT] = &l->resident, [TASK] = &l->task,
	    [MODEL] = &l->model};
	size_t at = 0;
	int64_t kind = item_whole(arr, &at);
	struct scan v;
	struct sum *s;
	char *name;

	if (kind < TOTAL || kind > MODEL || !scan_item(arr, &at, &v) ||
	    (name = scan_dup(v)) == NULL)
		return false;
	s = kind == TOTAL ? &l->total : sums_get(all[kind], name);
	free(name);
	s->spent = item_whole(arr, &at);
	s->reserved = item_whole(arr, &at);
	s->calls = item_whole(arr, &at);
	s->unpriced = item_whole(arr, &at);
	s->input = item_whole(arr, &at);
	s->output = item_whole(arr, &at);
	return true;
}

/* An open call: as its reservation, but for the sums, which have it already. */
static bool
take_call(struct ledger *l, struct scan v)
{
	struct ledger_call *c;
	struct ledger one = {.w = l->w, .fd = -1};
	struct sums *part[] = {&one.day, &one.resident, &one.task, &one.model};
	bool ok = ledger_apply(&one, v);

	if (ok && one.ncall == 1) {
		c = one.call[0];
		c->forfeited = scan_true(scan_get(v, "forfeited"));
		l->call = mem_grow(l->call, l->ncall + 1, sizeof(struct ledger_call *));
		l->call[l->ncall++] = c;
	}
	free(one.call);
	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		sums_free(part[i]);
	return ok && one.ncall == 1;
}

static bool
take_head(struct ledger *l, struct scan v)
{
	char tail[FILE_SHA256], now[FILE_SHA256], text[CLOCK_TEXT];

	if (scan_number(scan_get(v, "version"), 0) != 1 ||
	    scan_copy(scan_get(v, "tail"), tail, sizeof(tail)) != FILE_SHA256 - 1)
		return false;
	l->ino = (uint64_t)llround(scan_number(scan_get(v, "ino"), 0));
	l->offset = l->cached = (off_t)llround(scan_number(scan_get(v, "offset"), 0));
	l->rate_left = scan_number(scan_get(v, "rate_left"), 0);
	l->rate_at.boot_ns = llround(scan_number(scan_get(v, "boot_ns"), 0));
	scan_copy(scan_get(v, "boot_id"), l->rate_at.boot_id, sizeof(l->rate_at.boot_id));
	if (scan_copy(scan_get(v, "timestamp"), text, sizeof(text)) == 0 ||
	    !clock_parse(text, &l->rate_at.wall))
		return false;
	return tail_hash(l, now) && strcmp(tail, now) == 0;
}

static bool
take_line(struct ledger *l, const char *p, size_t n, size_t line, bool *done)
{
	struct scan v, end;

	if (scan_check(p, n, NULL) != 0)
		return false;
	v = scan_text(p, n);
	if (line == 0)
		return v.kind == '{' && take_head(l, v);
	if (v.kind == '[')
		return take_sum(l, v);
	end = scan_get(v, "end");
	*done = end.kind == '0';
	if (*done)
		return llround(scan_number(end, -1)) == (long long)line - 1;
	return scan_eq(scan_get(v, "event"), "PROVIDER_PAUSE") ? ledger_apply(l, v) :
								  take_call(l, v);
}

void
ledger_cache_load(struct ledger *l)
{
	struct buf b = {0};
	bool ok = file_read(l->w->fd, CACHE, CACHE_MAX, &b, NULL) == 0 && b.len > 0, done = false;
	const char *p = b.p, *end = ok ? b.p + b.len : NULL, *nl;

	for (size_t line = 0; ok && !done && p < end; line++, p = nl + 1) {
		nl = memchr(p, '\n', (size_t)(end - p));
		ok = nl != NULL && take_line(l, p, (size_t)(nl - p), line, &done);
		if (!ok)
			break;
	}
	buf_free(&b);
	if (!ok || !done)
		l->ino = 0;	/* ledger_read starts over, and forgets what was taken */
}
