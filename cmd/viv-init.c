/*
 * viv-init: make a world, or complete one.
 *
 * Everything is checked before anything is made. Then, under the board's lock, each
 * piece that is missing is created and none that exists is touched, so that a second
 * run changes nothing and a run that was killed is completed by the next one. The
 * board comes late and the first line of the log last: a world that has both is
 * whole. The one thing that an existing world gets changed is a new read root.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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
#include "opt.h"
#include "rand.h"
#include "scan.h"
#include "utf8.h"
#include "world.h"

#define USAGE "viv-init [-nq] [-r DIR]... [-s] [DIR]"

enum { TOKEN_BYTES = 48, SMALL_FILE = 1 << 20 };

struct init {
	char *root;		/* absolute */
	char **reads;		/* resolved read roots */
	size_t nreads;
	bool exists;		/* it was a world before */
	bool shared, dry, quiet;
	mode_t umask;
	struct world w;
	int made;		/* changes so far */
};

static void
note(struct init *in, const char *what, const char *name)
{
	in->made++;
	if (!in->quiet && (in->exists || in->dry))
		err_warn("%s%s '%s'", in->dry ? "would have " : "", what, name);
}

/* --- checking --- */

/* Absolute path of something that need not exist yet: the caller frees, NULL when
 * its existing part cannot be resolved. */
static char *
resolve(const char *path)
{
	char *real = realpath(path, NULL), *copy, *slash, *up, *out;

	if (real != NULL || errno != ENOENT)
		return real;
	copy = mem_dup(path);
	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = '\0';
	slash = strrchr(copy, '/');
	if (strcmp(slash != NULL ? slash + 1 : copy, "..") == 0) {
		free(copy);
		errno = ENOENT;
		return NULL;
	}
	if (slash == NULL)
		up = realpath(".", NULL);
	else if (slash == copy)
		up = mem_dup("/");
	else {
		*slash = '\0';
		up = resolve(copy);
	}
	out = up == NULL ? NULL : mem_fmt("%s/%s", strcmp(up, "/") == 0 ? "" : up,
	    slash != NULL ? slash + 1 : copy);
	free(up);
	free(copy);
	return out;
}

static bool
inside(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strcmp(dir, "/") == 0 || (strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

static int
check_reads(struct init *in, struct err *e)
{
	for (size_t i = 0; i < in->nreads; i++) {
		char *real = realpath(in->reads[i], NULL);
		struct stat st;

		if (real == NULL || stat(real, &st) != 0)
			return err_sys(e, VIV_CONFIG, "cannot read '%s'", in->reads[i]);
		free(in->reads[i]);
		in->reads[i] = real;
		if (!S_ISDIR(st.st_mode))
			return err_set(e, VIV_CONFIG, "'%s' is not a directory", real);
		if (utf8_invalid(real, strlen(real)) != strlen(real))
			return err_set(e, VIV_CONFIG, "'%s' is not UTF-8", real);
		if (inside(in->root, real))
			return err_set(e, VIV_REFUSED, "'%s' contains the world: tasks could read all of it", real);
		if (inside(real, in->root))
			return err_set(e, VIV_REFUSED, "'%s' lies inside the world", real);
	}
	return 0;
}

/* A world, an empty or absent directory, or an error. */
static int
check_root(struct init *in, struct err *e)
{
	char *mutable = mem_fmt("%s/%s", in->root, WORLD_MUTABLE);
	char *shared = mem_fmt("%s/%s/shared", in->root, WORLD_PHYSICS);
	struct dirent *de;
	DIR *d;
	int rc = 0;

	in->exists = access(mutable, F_OK) == 0;
	if (in->exists && in->shared && access(shared, F_OK) != 0)
		rc = err_set(e, VIV_REFUSED, "'%s' is a world that is not shared, and stays one", in->root);
	free(mutable);
	free(shared);
	if (in->exists)
		return rc;
	d = opendir(in->root);
	if (d == NULL)
		return errno == ENOENT ? 0 : err_sys(e, VIV_CANTCREAT, "cannot make a world in '%s'", in->root);
	/* An empty 'world' is all that an early kill of this command can leave. */
	if (!in->dry)
		unlinkat(dirfd(d), "world", AT_REMOVEDIR);
	while (rc == 0 && (de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			rc = err_set(e, VIV_CANTCREAT, "'%s' is neither empty nor a world", in->root);
	closedir(d);
	return rc;
}

/* --- making --- */

static int
make_dirs(struct init *in, struct err *e)
{
	for (size_t i = 0; i < layout_count; i++) {
		int rc;

		if (faccessat(in->w.fd, layout_dirs[i].path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		note(in, "made", layout_dirs[i].path);
		rc = in->dry ? 0 : file_mkdirs(in->w.fd, layout_dirs[i].path, layout_dirs[i].mode, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* A file that is not there yet; an existing one stays. */
static int
make_file(struct init *in, const char *path, const void *p, size_t n, mode_t mode, struct err *e)
{
	int rc;

	if (in->w.fd >= 0 && faccessat(in->w.fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	note(in, "made", path);
	if (in->dry)
		return 0;
	rc = file_create(in->w.fd, path, p, n, mode & ~in->umask, e);
	return rc == -VIV_NO ? 0 : rc;
}

static int
copy_skeleton(struct init *in, const char *from, const char *to, struct err *e)
{
	DIR *d = opendir(from);
	struct dirent *de;
	int rc = 0;

	if (d == NULL)
		return err_sys(e, VIV_CONFIG, "cannot open '%s'", from);
	while (rc == 0 && (de = readdir(d)) != NULL) {
		char *src = mem_fmt("%s/%s", from, de->d_name), *dst = mem_fmt("%s/%s", to, de->d_name);
		struct buf text = {0};
		struct stat st;

		if (de->d_name[0] == '.' || lstat(src, &st) != 0)
			rc = 0;
		else if (S_ISDIR(st.st_mode) && !in->dry)
			rc = file_mkdirs(in->w.fd, dst, 0777, e);
		if (rc == 0 && de->d_name[0] != '.' && S_ISDIR(st.st_mode))
			rc = copy_skeleton(in, src, dst, e);
		else if (rc == 0 && de->d_name[0] != '.' && S_ISREG(st.st_mode) &&
		    (rc = file_read(AT_FDCWD, src, SMALL_FILE, &text, e)) == 0)
			rc = make_file(in, dst, text.p, text.len, 0666, e);
		buf_free(&text);
		free(src);
		free(dst);
	}
	closedir(d);
	return rc;
}

static int
make_token(struct init *in, struct err *e)
{
	char token[TOKEN_BYTES / 3 * 4 + 2];

	rand_base64url(token, TOKEN_BYTES);
	strcat(token, "\n");
	return make_file(in, WORLD_TOKEN, token, strlen(token), 0600, e);
}

static int
make_halt(struct init *in, struct err *e)
{
	char when[CLOCK_TEXT], *text;
	int rc;

	clock_local(clock_wall(), when);
	text = mem_fmt("{\n  \"halt\": false,\n  \"reason\": null,\n  \"timestamp\": \"%s\"\n}\n", when);
	rc = make_file(in, WORLD_HALT, text, strlen(text), 0666, e);
	free(text);
	return rc;
}

static int
make_board(struct init *in, struct err *e)
{
	struct buf text = {0};
	int rc;

	board_splice("null", 4, NULL, 0, &text);
	rc = make_file(in, WORLD_QUEUE, text.p, text.len, 0666, e);
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
read_policy(struct init *in, struct buf *text, struct err *e)
{
	char *installed;
	int rc = -VIV_NO;

	if (in->w.fd >= 0)
		rc = file_read(in->w.fd, WORLD_POLICY, SMALL_FILE, text, e);
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
make_policy(struct init *in, struct err *e)
{
	bool have = in->w.fd >= 0 && faccessat(in->w.fd, WORLD_POLICY, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	struct buf text = {0};
	struct scan top, read;
	cJSON *list = NULL;
	int rc = read_policy(in, &text, e), added = 0;

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
	for (size_t i = 0; i < in->nreads; i++)
		if (!list_has(list, in->reads[i])) {
			json_push(list, cJSON_CreateString(in->reads[i]));
			if (have)
				note(in, "added the read root", in->reads[i]);
			added++;
		}
	if (!have || added > 0)
		rc = splice_policy(&text, top, read, list);
	if (!have)
		rc = make_file(in, WORLD_POLICY, text.p, text.len, 0600, e);
	else if (added > 0 && !in->dry)
		rc = file_replace(in->w.fd, WORLD_POLICY, text.p, text.len, 0600, e);
	cJSON_Delete(list);
	buf_free(&text);
	return rc;
}

/* --- the log --- */

static bool
has_log(const struct init *in)
{
	char *path = mem_fmt("%s/%s", in->root, WORLD_AUDIT);
	DIR *d = opendir(path);
	struct dirent *de;
	bool found = false;

	while (d != NULL && !found && (de = readdir(d)) != NULL)
		found = strncmp(de->d_name, "execution_log.", 14) == 0 && strstr(de->d_name, ".jsonl") != NULL;
	if (d != NULL)
		closedir(d);
	free(path);
	return found;
}

/* The head of the chain: every later line continues from this one. */
static int
begin_log(struct init *in, struct err *e)
{
	struct world w;
	struct log l;
	cJSON *event;
	int rc;

	if (has_log(in))
		return 0;
	note(in, "made", WORLD_LOG);
	if (in->dry)
		return 0;
	rc = world_open(&w, in->root, e);
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
make_files(struct init *in, struct err *e)
{
	static const char shared[] = "one log segment per host, longer lease margins\n";
	char *skeleton = world_share("world");
	int rc = 0;

	if (skeleton == NULL)
		return err_set(e, VIV_CONFIG, "the skeleton of a world is not installed");
	rc = copy_skeleton(in, skeleton, "world", e);
	free(skeleton);
	if (rc == 0 && in->shared)
		rc = make_file(in, WORLD_PHYSICS "/shared", shared, sizeof(shared) - 1, 0666, e);
	if (rc == 0)
		rc = make_token(in, e);
	if (rc == 0)
		rc = make_policy(in, e);
	if (rc == 0)
		rc = make_halt(in, e);
	if (rc == 0)
		rc = make_board(in, e);
	return rc;
}

static int
make_world(struct init *in, struct err *e)
{
	struct lock l = {.fd = -1};
	int rc = 0;

	if (!in->dry)
		rc = file_mkdirs(AT_FDCWD, in->root, 0777, e);
	in->w.fd = rc == 0 ? open(in->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (rc == 0 && in->w.fd < 0 && !in->dry)
		rc = err_sys(e, VIV_CANTCREAT, "cannot open '%s'", in->root);
	if (rc == 0)
		rc = make_dirs(in, e);
	if (rc == 0 && !in->dry)
		rc = lock_open(&l, in->w.fd, WORLD_QUEUE_LOCK, e);
	if (rc == 0 && !in->dry)
		rc = lock_take(&l, LOCK_WAIT_MS, e);
	if (rc == 0)
		rc = make_files(in, e);
	if (rc == 0 && in->made > 0 && !in->dry && syncfs(in->w.fd) != 0)
		rc = err_sys(e, VIV_IO, "cannot sync '%s'", in->root);
	if (rc == 0)
		rc = begin_log(in, e);
	if (in->w.fd >= 0)
		close(in->w.fd);
	lock_close(&l);
	return rc;
}

/* The path as a word of the shell, when it needs quotes and can have them. */
static void
say_next(const struct init *in)
{
	const char *quote = in->root[strspn(in->root, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789/._+:@%-")] == '\0' ? "" : "'";

	if (in->quiet)
		return;
	if (in->made == 0)
		err_warn("'%s' is a world already, nothing changed", in->root);
	if (in->dry || in->exists)
		return;
	err_warn("made the world '%s'", in->root);
	err_warn("next: export VIV_ROOT=%s%s%s", quote, in->root, quote);
	if (in->nreads == 0)
		err_warn("tasks may read nothing of yours yet: viv-init --read DIR %s%s%s", quote, in->root, quote);
}

static void
parse(struct init *in, int argc, char **argv)
{
	static const struct option longs[] = {
		{"read", required_argument, NULL, 'r'}, {"shared", no_argument, NULL, 's'},
		{"dry-run", no_argument, NULL, 'n'}, {"quiet", no_argument, NULL, 'q'}, {0}};
	const char *dir;
	int c;

	while ((c = opt_next(argc, argv, "r:snq", longs)) != -1) {
		if (c == 'r') {
			in->reads = mem_grow(in->reads, in->nreads + 1, sizeof(*in->reads));
			in->reads[in->nreads++] = mem_dup(optarg);
		}
		in->shared |= c == 's';
		in->dry |= c == 'n';
		in->quiet |= c == 'q';
	}
	if (argc - optind > 1)
		opt_usage("one directory at a time");
	if (argc > optind && opt_world != NULL)
		opt_usage("the world is named twice");
	dir = argc > optind ? argv[optind] : opt_world != NULL ? opt_world : ".";
	in->root = *dir != '\0' ? resolve(dir) : NULL;
	if (in->root == NULL)
		err_exit(VIV_CANTCREAT, "cannot make a world in '%s': %s", dir, strerror(errno));
}

int
main(int argc, char **argv)
{
	struct init in = {.w = {.fd = -1}};
	struct err e = {0};

	opt_init(argc, argv, USAGE);
	parse(&in, argc, argv);
	in.umask = umask(0);
	umask(in.umask);
	if (check_root(&in, &e) != 0 || check_reads(&in, &e) != 0 || make_world(&in, &e) != 0)
		err_die(&e);
	say_next(&in);
	for (size_t i = 0; i < in.nreads; i++)
		free(in.reads[i]);
	free(in.reads);
	free(in.root);
	return opt_end(0);
}
