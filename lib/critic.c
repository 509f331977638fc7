/*
 * critic: is a finished piece of work acceptable?
 *
 * Rules of reference core.md 2.14 (declared files exist and hold no placeholders, no
 * error, success), and of the evidence: the exit status is one that the task allows,
 * the stored result is the one whose hash the line names, and something was measured
 * at all. What has no evidence cannot be approved.
 */
#include "critic.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <linux/openat2.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "json.h"
#include "task.h"

enum { FILE_MAX = 16 * 1024 * 1024 };

static void issue(struct critic *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
issue(struct critic *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_push(c->issues, cJSON_CreateString(text));
}

/* --- declared files --- */

/* Open below world/mutable, whatever links a resident may have planted; -1 if not. */
static int
open_beneath(const struct world *w, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	int dir = openat(w->fd, WORLD_MUTABLE, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	struct stat st;

	if (dir < 0)
		return -1;
	fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	close(dir);
	if (fd >= 0 && (fstat(fd, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void
check_placeholders(struct critic *c, const char *path, int fd)
{
	static const char *const word[] = {"TODO", "FIXME", "XXX", "...", "pass  # placeholder",
	    "pass # placeholder"};
	struct buf b = {0};
	ssize_t n;

	do {
		buf_reserve(&b, 65536);
		n = read(fd, b.p + b.len, 65536);
		b.len += n > 0 ? (size_t)n : 0;
	} while (n > 0 && b.len <= FILE_MAX);
	if (n < 0 || b.len > FILE_MAX)
		issue(c, "'%s' cannot be read, or is too long to be looked at", path);
	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++)
		if (b.len > 0 && memmem(b.p, b.len, word[i], strlen(word[i])) != NULL) {
			issue(c, "'%s' contains a placeholder: %s", path, word[i]);
			break;
		}
	buf_free(&b);
}

static void
check_file(struct critic *c, const struct world *w, const char *path)
{
	size_t n = strlen(path);
	int fd = open_beneath(w, path);

	if (fd < 0) {
		issue(c, "declared file '%s' does not exist in the world", path);
		return;
	}
	if (n > 3 && strcmp(path + n - 3, ".py") == 0)
		check_placeholders(c, path, fd);
	close(fd);
}

static void
check_files(struct critic *c, const struct world *w, const cJSON *obj)
{
	static const char *const member[] = {"files_created", "files_modified", "artifacts",
	    "files"};

	for (size_t i = 0; i < sizeof(member) / sizeof(member[0]); i++) {
		const cJSON *v = json_get(obj, member[i]), *item;

		if (cJSON_IsString(v))
			check_file(c, w, v->valuestring);
		cJSON_ArrayForEach(item, v) {
			if (cJSON_IsString(item))
				check_file(c, w, item->valuestring);
		}
	}
}

/* --- evidence --- */

/* What was kept whole must have the hash that was taken of it. Bytes that are no UTF-8
 * were replaced, which changes the length: then there is nothing to compare. */
static void
check_stream(struct critic *c, const cJSON *res, const char *name)
{
	char bytes[32], sum[32], hash[FILE_SHA256];
	const char *text = json_str(res, name), *want;

	snprintf(bytes, sizeof(bytes), "%s_bytes", name);
	snprintf(sum, sizeof(sum), "%s_sha256", name);
	want = json_str(res, sum);
	if (text == NULL || want == NULL || json_num(res, bytes, -1) != (double)strlen(text) ||
	    strstr(text, "\xef\xbf\xbd") != NULL)
		return;
	file_sha256(text, strlen(text), hash);
	if (strcmp(hash, want) != 0)
		issue(c, "%s does not have the hash that was taken of it", name);
}

static void
check_local(struct critic *c, const cJSON *line, const cJSON *res)
{
	const cJSON *code = json_get(res, "exit_code"), *sig = json_get(res, "signal");

	if (json_bool(res, "timed_out", false))
		issue(c, "timed out");
	else if (cJSON_IsNumber(sig))
		issue(c, "ended by signal %d", sig->valueint);
	else if (!cJSON_IsNumber(code))
		issue(c, "no exit status: nothing shows that it ran");
	else if (!task_exit_ok(line, code->valuedouble))
		issue(c, "exit status %d", code->valueint);
	if (json_str(res, "stdout_sha256") == NULL)
		issue(c, "no hash of the output: nothing shows what was produced");
	check_stream(c, res, "stdout");
	check_stream(c, res, "stderr");
}

static void
check_answer(struct critic *c, const cJSON *res)
{
	const char *text = json_str(res, "text"), *finish = json_str(res, "finish_reason");
	const char *want = json_str(res, "text_sha256");
	char hash[FILE_SHA256];

	if (text == NULL || text[strspn(text, " \t\r\n")] == '\0')
		issue(c, "the answer is empty");
	if (finish != NULL && strcmp(finish, "length") == 0)
		issue(c, "the answer was cut off");
	if (finish != NULL && strcmp(finish, "content_filter") == 0)
		issue(c, "the answer was held back by a filter");
	if (text == NULL || want == NULL || json_bool(res, "truncated", false))
		return;
	file_sha256(text, strlen(text), hash);
	if (strcmp(hash, want) != 0)
		issue(c, "the answer does not have the hash that was taken of it");
}

/* The file has the hash that the line names; does it say what the line says? */
static void
check_same(struct critic *c, const struct buf *b, const cJSON *res)
{
	cJSON *file = json_parse(b->p, b->len, NULL);
	const cJSON *stored = json_obj(file, "result"), *v;

	if (stored == NULL)
		issue(c, "the stored result cannot be understood");
	cJSON_ArrayForEach(v, stored) {
		if (cJSON_Compare(v, json_get(res, v->string), true))
			continue;
		issue(c, "'%.100s' of the result is not what was stored", v->string);
		break;
	}
	cJSON_Delete(file);
}

/* The result lies where this very attempt puts it, and is what was hashed then. */
static void
check_stored(struct critic *c, const struct world *w, const cJSON *line, const cJSON *res)
{
	const char *file = json_str(res, "file"), *want = json_str(res, "sha256");
	const char *id = json_str(line, "id");
	double generation = json_num(json_obj(line, "claim"), "generation", 0);
	char *own = mem_fmt("%s/%s.%.0f.json", WORLD_RESULTS, id != NULL ? id : "", generation);
	char hash[FILE_SHA256];
	struct buf b = {0};

	if (file == NULL || want == NULL) {
		issue(c, "no stored result: nothing shows what was produced");
	} else if (strcmp(file, own) != 0) {
		issue(c, "the stored result '%.200s' is not that of this attempt", file);
	} else if (file_read(w->fd, file, FILE_MAX, &b, NULL) != 0 || b.len == 0) {
		issue(c, "the stored result '%.200s' is missing", file);
	} else {
		file_sha256(b.p, b.len, hash);
		if (strcmp(hash, want) != 0)
			issue(c, "the stored result '%.200s' is not what was produced", file);
		else
			check_same(c, &b, res);
	}
	buf_free(&b);
	free(own);
}

/* --- the verdict --- */

static void
conclude(struct critic *c)
{
	int n = cJSON_GetArraySize(c->issues), placeholders = 0;
	const cJSON *v;

	cJSON_ArrayForEach(v, c->issues) {
		placeholders += strstr(v->valuestring, "placeholder") != NULL;
	}
	c->accepted = n == 0 || (n <= 2 && placeholders == n);
	c->verdict = n == 0 ? "APPROVE" : c->accepted ? "MINOR_ISSUES" : "REJECT";
	c->confidence = n == 0 ? 0.95 : c->accepted ? 0.75 : 0.90;
	if (n > 0)
		json_push(c->suggestions, cJSON_CreateString(c->accepted ?
		    "clean up the placeholders" : "fix the issues and try again"));
}

static const char *
error_text(const cJSON *error)
{
	const char *message = json_str(error, "message");

	return cJSON_IsString(error) ? error->valuestring : message != NULL ? message : "set";
}

void
critic_review(const struct world *w, const cJSON *line, struct critic *out)
{
	const cJSON *res = json_obj(line, "result");
	const cJSON *error = json_get(res, "error");
	const char *status = json_str(res, "status");
	bool ok = status == NULL || strcmp(status, "completed") == 0;
	bool claimed = json_obj(line, "claim") != NULL;

	*out = (struct critic){.issues = json_list(), .suggestions = json_list()};
	if (res == NULL)
		issue(out, "there is no result");
	if (error != NULL && !cJSON_IsNull(error))
		issue(out, "error: %.200s", error_text(error));
	if (!json_bool(res, "success", true))
		issue(out, "it says that it did not succeed");
	if (res != NULL && task_is_local(line))
		check_local(out, line, res);
	else if (res != NULL)
		check_answer(out, res);
	if (!ok && cJSON_GetArraySize(out->issues) == 0)
		issue(out, "the result says '%s'", status);
	if (w != NULL && res != NULL && claimed)
		check_stored(out, w, line, res);
	if (w != NULL) {
		check_files(out, w, line);
		check_files(out, w, res);
	}
	conclude(out);
}

void
critic_free(struct critic *c)
{
	cJSON_Delete(c->issues);
	cJSON_Delete(c->suggestions);
}
