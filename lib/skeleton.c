/*
 * skeleton: the pieces of a world, made where they are missing.
 *
 * Under the board's lock each piece that is missing is created and none that exists is
 * touched, so that a second run changes nothing and a run that was killed is completed
 * by the next one. The board comes late and the first line of the log last: a world
 * that has both is whole. Read roots are spliced into the policy's text, which keeps
 * its layout.
 */
#include "skeleton.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "board.h"
#include "clock.h"
#include "file.h"
#include "json.h"
#include "layout.h"
#include "lock.h"
#include "log.h"
#include "rand.h"
#include "scan.h"
#include "world.h"

enum { TOKEN_BYTES = 48, SMALL_FILE = 1 << 20 };

static void
note(struct skeleton *k, const char *what, const char *name)
{
	k->made++;
	if (k->note != NULL)
		k->note(what, name, k->arg);
}

/* --- making --- */

static int
make_dirs(struct skeleton *k, struct err *e)
{
	for (size_t i = 0; i < layout_count; i++) {
		int rc;

		if (faccessat(k->fd, layout_dirs[i].path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		note(k, "made", layout_dirs[i].path);
		rc = k->dry ? 0 : file_mkdirs(k->fd, layout_dirs[i].path, layout_dirs[i].mode, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* A file that is not there yet; an existing one stays. */
static int
make_file(struct skeleton *k, const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
	int rc;

	if (k->fd >= 0 && faccessat(k->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	note(k, "made", path);
	if (k->dry)
		return 0;
	rc = file_create(k->fd, path, p, n, mode & ~k->umask, e);
	return rc == -VIV_NO ? 0 : rc;
}

static int
copy_skeleton(struct skeleton *k, const char *from, const char *to, struct err *e)
{
	DIR *d = opendir(from);
	struct dirent *de;
	int rc = 0;

	if (d == NULL)
		return err_sys(e, VIV_CONFIG, "cannot open '%s'", from);
	while (rc == 0 && (de = readdir(d)) != NULL) {
		char *src = mem_fmt("%s/%s", from, de->d_name),
		     *dst = mem_fmt("%s/%s", to, de->d_name);
		struct buf text = {0};
		struct stat st;

		if (de->d_name[0] == '.' || lstat(src, &st) != 0)
			rc = 0;
		else if (S_ISDIR(st.st_mode) && !k->dry)
			rc = file_mkdirs(k->fd, dst, 0777, e);
		if (rc == 0 && de->d_name[0] != '.' && S_ISDIR(st.st_mode))
			rc = copy_skeleton(k, src, dst, e);
		else if (rc == 0 && de->d_name[0] != '.' && S_ISREG(st.st_mode) &&
		    (rc = file_read(AT_FDCWD, src, SMALL_FILE, &text, e)) == 0)
			rc = make_file(k, dst, text.p, text.len, 0666, e);
		buf_free(&text);
		free(src);
		free(dst);
	}
	closedir(d);
	return rc;
}

static int
make_token(struct skeleton *k, struct err *e)
{
	char token[TOKEN_BYTES / 3 * 4 + 2];

	rand_base64url(token, TOKEN_BYTES);
	strcat(token, "\n");
	return make_file(k, WORLD_TOKEN, token, strlen(token), 0600, e);
}

static int
make_halt(struct skeleton *k, struct err *e)
{
	char when[CLOCK_TEXT], *text;
	int rc;

	clock_local(clock_wall(), when);
	text = mem_fmt(
	    "{\n  \"halt\": false,\n  \"reason\": null,\n  \"timestamp\": \"%s\"\n}\n", when);
	rc = make_file(k, WORLD_HALT, text, strlen(text), 0666, e);
	free(text);
	return rc;
}

static int
make_board(struct skeleton *k, struct err *e)
{
	struct buf text = {0};
	int rc;

	board_splice("null", 4, NULL, 0, &text);
	rc = make_file(k, WORLD_QUEUE, text.p, text.len, 0666, e);
	buf_free(&text);
	return rc;
}

/* --- the policy's read roots --- */

static bool
list_has(const cJSON *list, const char *s)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, list)
		if (cJSON_IsString(item) && strcmp(item->valuestring, s) == 0)
			return true;
	return false;
}

/* The policy as it is, or as it is installed; -VIV_NO: it is neither here nor there. */
static int
read_policy(struct skeleton *k, struct buf *text, struct err *e)
{
	char *installed;
	int rc = -VIV_NO;

	if (k->fd >= 0)
		rc = file_read(k->fd, WORLD_POLICY, SMALL_FILE, text, e);
	if (rc != -VIV_NO)
		return rc;
	installed = world_share("policy.json");
	if (installed != NULL)
		rc = file_read(AT_FDCWD, installed, SMALL_FILE, text, e);
	free(installed);
	return rc;
}

/* text with the list as its "read"; everything else stays as it is. */
static int
splice_policy(struct buf *text, struct scan top, struct scan read, const cJSON *list)
{
	struct buf new = {0};
	struct scan a, b;
	size_t at = 0;

	if (read.kind != '\0') {
		buf_add(&new, text->p, (size_t)(read.p - text->p));
		json_print(&new, list);
		buf_str(&new, read.p + read.len);
	} else {
		buf_add(&new, text->p, (size_t)(top.p - text->p) + 1);
		buf_str(&new, "\"read\": ");
		json_print(&new, list);
		if (scan_member(top, &at, &a, &b))
			buf_char(&new, ',');
		buf_str(&new, top.p + 1);
	}
	buf_free(text);
	*text = new;
	return 0;
}

static int
make_policy(struct skeleton *k, struct err *e)
{
	bool have = k->fd >= 0 && faccessat(k->fd, WORLD_POLICY, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	struct buf text = {0};
	struct scan top, read;
	cJSON *list = NULL;
	int rc = read_policy(k, &text, e), added = 0;

	if (rc == -VIV_NO) {
		err_warn("no policy is installed: every command will be refused");
		buf_str(&text, "{\"version\":1,\"read\":[]}\n");
		rc = 0;
	}
	if (rc == 0 && scan_check(text.p, text.len, e) != 0)
		rc = err_prefix(e, "'%s'", WORLD_POLICY);
	if (rc != 0) {
		buf_free(&text);
		return rc;
	}
	top = scan_text(text.p, text.len);
	read = scan_get(top, "read");
	if (top.kind != '{' || (read.kind != '[' && read.kind != '\0')) {
		buf_free(&text);
		return err_set(e, VIV_CONFIG, "'%s': 'read' must be a list", WORLD_POLICY);
	}
	list = have && read.kind == '[' ? json_parse(read.p, read.len, e) : json_list();
	for (size_t i = 0; i < k->nreads; i++)
		if (!list_has(list, k->reads[i])) {
			json_push(list, cJSON_CreateString(k->reads[i]));
			if (have)
				note(k, "added the read root", k->reads[i]);
			added++;
		}
	if (!have || added > 0)
		rc = splice_policy(&text, top, read, list);
	if (!have)
		rc = make_file(k, WORLD_POLICY, text.p, text.len, 0600, e);
	else if (added > 0 && !k->dry)
		rc = file_replace(k->fd, WORLD_POLICY, text.p, text.len, 0600, e);
	cJSON_Delete(list);
	buf_free(&text);
	return rc;
}

/* --- the log --- */

static bool
has_log(const struct skeleton *k)
{
	char *path = mem_fmt("%s/%s", k->root, WORLD_AUDIT);
	DIR *d = opendir(path);
	struct dirent *de;
	bool found = false;

	while (d != NULL && !found && (de = readdir(d)) != NULL)
		found = strncmp(de->d_name, "execution_log.", 14) == 0 &&
		    strstr(de->d_name, ".jsonl") != NULL;
	if (d != NULL)
		closedir(d);
	free(path);
	return found;
}

/* The head of the chain: every later line continues from this one. */
static int
begin_log(struct skeleton *k, struct err *e)
{
	struct world w;
	struct log l;
	cJSON *event;
	int rc;

	if (has_log(k))
		return 0;
	note(k, "made", WORLD_LOG);
	if (k->dry)
		return 0;
	rc = world_open(&w, k->root, e);
	if (rc != 0)
		return rc;
	rc = log_open(&l, &w, e);
	if (rc == 0) {
		event = log_event("_world", "viv-init", "queued", 0);
		json_set_str(event, "reason", "world created");
		rc = log_append(&l, &event, 1, e);
		if (rc == 0)
			rc = log_sync(&l, e);
		cJSON_Delete(event);
		log_close(&l);
	}
	world_close(&w);
	return rc;
}

/* --- all of it --- */

static int
make_files(struct skeleton *k, struct err *e)
{
	static const char shared[] = "one log segment per host, longer lease margins\n";
	char *skeleton = world_share("world");
	int rc = 0;

	if (skeleton == NULL)
		return err_set(e, VIV_CONFIG, "the skeleton of a world is not installed");
	rc = copy_skeleton(k, skeleton, "world", e);
	free(skeleton);
	if (rc == 0 && k->shared)
		rc = make_file(k, WORLD_PHYSICS "/shared", shared, sizeof(shared) - 1, 0666, e);
	if (rc == 0)
		rc = make_token(k, e);
	if (rc == 0)
		rc = make_policy(k, e);
	if (rc == 0)
		rc = make_halt(k, e);
	if (rc == 0)
		rc = make_board(k, e);
	return rc;
}

int
skeleton_make(struct skeleton *k, struct err *e)
{
	struct lock l = {.fd = -1};
	int rc = 0;

	k->umask = umask(0);
	umask(k->umask);
	if (!k->dry)
		rc = file_mkdirs(AT_FDCWD, k->root, 0777, e);
	k->fd = rc == 0 ? open(k->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (rc == 0 && k->fd < 0 && !k->dry)
		rc = err_sys(e, VIV_CANTCREAT, "cannot open '%s'", k->root);
	if (rc == 0)
		rc = make_dirs(k, e);
	if (rc == 0 && !k->dry)
		rc = lock_open(&l, k->fd, WORLD_QUEUE_LOCK, e);
	if (rc == 0 && !k->dry)
		rc = lock_take(&l, LOCK_WAIT_MS, e);
	if (rc == 0)
		rc = make_files(k, e);
	if (rc == 0 && k->made > 0 && !k->dry && syncfs(k->fd) != 0)
		rc = err_sys(e, VIV_IO, "cannot sync '%s'", k->root);
	if (rc == 0)
		rc = begin_log(k, e);
	if (k->fd >= 0)
		close(k->fd);
	lock_close(&l);
	return rc;
}
