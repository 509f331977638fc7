/*
 * cassette: answers kept as files, to be given again without a network.
 *
 * One file a request, DIR/HASH.json, 0600, because it holds prompts. HASH is SHA-256 of what
 * matters in the request: model, messages, length, temperature and format, without the
 * note (task id and clock), and whoever was asked, with whatever key. What is kept is the
 * answer's own bytes, status and type, so that a replay takes every step of reading it
 * again: a recording of a strange answer is a bug report. The request lies beside it, for
 * people. Only whole answers are recorded, and none that said "not now".
 */
#include "cassette.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "file.h"
#include "json.h"
#include "utf8.h"

enum { CASSETTE_BYTES = 80 * 1024 * 1024 };

int
cassette_spec(const char *spec, enum cassette_mode *mode_out, const char **dir_out, struct err *e)
{
	*mode_out = CASSETTE_OFF;
	if (spec == NULL || *spec == '\0')
		return 0;
	if (strncmp(spec, "record:", 7) == 0)
		*mode_out = CASSETTE_RECORD;
	else if (strncmp(spec, "replay:", 7) == 0)
		*mode_out = CASSETTE_REPLAY;
	if (*mode_out == CASSETTE_OFF || spec[7] == '\0')
		return err_set(e, VIV_CONFIG, "a cassette is 'record:DIR' or 'replay:DIR'");
	*dir_out = spec + 7;
	return 0;
}

static char *
file_of(const char *dir, const char *essence)
{
	char hash[FILE_SHA256];

	file_sha256(essence, strlen(essence), hash);
	return mem_fmt("%s/%s.json", dir, hash);
}

int
cassette_put(const struct world *w, const char *dir, const char *essence,
    const struct http_result *got, const struct buf *body, struct err *e)
{
	int at = w != NULL ? w->fd : AT_FDCWD, rc;
	char *path = file_of(dir, essence), now[CLOCK_TEXT];
	const char *text = body->p != NULL ? body->p : "";
	struct buf b = {0};
	cJSON *v;

	if (strlen(text) != body->len || utf8_invalid(text, body->len) != body->len) {
		free(path);
		return err_set(e, VIV_NO, "an answer that is no UTF-8 text is not recorded");
	}
	v = json_new();
	clock_utc(clock_wall(), now);
	json_set_num(v, "version", 1);
	json_set_str(v, "recorded_at", now);
	json_set(v, "request", cJSON_Parse(essence));
	json_set_num(v, "status", got->status);
	json_set_str(v, "content_type", got->type);
	json_set_str(v, "request_id", got->request_id);
	json_set_str(v, "body", text);
	json_print(&b, v);
	buf_char(&b, '\n');
	rc = file_mkdirs(at, dir, 0700, e);
	if (rc == 0)
		rc = file_replace(at, path, b.p, b.len, 0600, e);
	buf_free(&b);
	cJSON_Delete(v);
	free(path);
	return rc;
}

/* The members of a recording, or -VIV_CONFIG. */
static int
understand(struct http_result *got, struct buf *body, const struct buf *b, struct err *e)
{
	cJSON *v = json_parse(b->p != NULL ? b->p : "", b->len, e);
	const char *text = json_str(v, "body"), *type = json_str(v, "content_type");
	const char *id = json_str(v, "request_id");
	double status = json_num(v, "status", 0);
	int rc = v != NULL ? 0 : -VIV_CONFIG;

	if (rc == 0 && (json_num(v, "version", 0) != 1 || text == NULL || status < 100 ||
	    status > 599))
		rc = err_set(e, VIV_CONFIG, "not a recording of version 1");
	if (rc == 0) {
		got->status = (int)status;
		snprintf(got->type, sizeof(got->type), "%s", type != NULL ? type : "");
		snprintf(got->request_id, sizeof(got->request_id), "%s", id != NULL ? id : "");
		buf_str(body, text);
	}
	cJSON_Delete(v);
	return rc;
}

int
cassette_get(const struct world *w, const char *dir, const char *essence,
    struct http_result *got, struct buf *body, struct err *e)
{
	char *path = file_of(dir, essence);
	struct buf b = {0};
	int rc = file_read(w != NULL ? w->fd : AT_FDCWD, path, CASSETTE_BYTES, &b, e);

	*got = (struct http_result){.net = RETRY_ANSWERED, .sent = true};
	if (rc == -VIV_NO)
		err_set(e, VIV_NO, "no recording '%s'", path);
	else if (rc == 0 && (rc = understand(got, body, &b, e)) != 0)
		err_prefix(e, "'%s'", path);
	buf_free(&b);
	free(path);
	return rc;
}
