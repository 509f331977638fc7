/*
 * viv-init: make a world, or complete one.
 *
 * Everything is checked here before anything is made; lib/skeleton.c then creates
 * what is missing and touches nothing that is there. The one thing that an existing
 * world gets changed is a new read root.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "opt.h"
#include "skeleton.h"
#include "utf8.h"
#include "world.h"

#define USAGE "viv-init [-nqs] [-r DIR]... [DIR]"

struct init {
	struct skeleton k;
	bool exists;		/* it was a world before */
	bool quiet;
};

static void
note(const char *what, const char *name, void *arg)
{
	const struct init *in = arg;

	if (!in->quiet && (in->exists || in->k.dry))
		err_warn("%s%s '%s'", in->k.dry ? "would have " : "", what, name);
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

	return strcmp(dir, "/") == 0 ||
	    (strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

static int
check_reads(struct init *in, struct err *e)
{
	for (size_t i = 0; i < in->k.nreads; i++) {
		char *real = realpath(in->k.reads[i], NULL);
		struct stat st;

		if (real == NULL || stat(real, &st) != 0)
			return err_sys(e, VIV_CONFIG, "cannot read '%s'", in->k.reads[i]);
		free(in->k.reads[i]);
		in->k.reads[i] = real;
		if (!S_ISDIR(st.st_mode))
			return err_set(e, VIV_CONFIG, "'%s' is not a directory", real);
		if (utf8_invalid(real, strlen(real)) != strlen(real))
			return err_set(e, VIV_CONFIG, "'%s' is not UTF-8", real);
		if (inside(in->k.root, real))
			return err_set(e, VIV_REFUSED,
			    "'%s' contains the world: tasks could read all of it", real);
		if (inside(real, in->k.root))
			return err_set(e, VIV_REFUSED, "'%s' lies inside the world", real);
	}
	return 0;
}

/* How many entries a directory has, at most 2 are counted, and whether one is name;
 * -1: it cannot be read. */
static int
entries(const char *path, const char *name, bool *found)
{
	DIR *d = opendir(path);
	struct dirent *de;
	int n = 0;

	*found = false;
	if (d == NULL)
		return -1;
	while (n < 2 && (de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0) {
			n++;
			*found |= strcmp(de->d_name, name) == 0;
		}
	closedir(d);
	return n;
}

/* A world, an empty or absent directory, or an error. An empty 'world' in it is what
 * a run that was killed early left, or one that has just begun. */
static int
check_root(struct init *in, struct err *e)
{
	char *world = mem_fmt("%s/world", in->k.root),
	     *mutable = mem_fmt("%s/%s", in->k.root, WORLD_MUTABLE);
	char *shared = mem_fmt("%s/%s/shared", in->k.root, WORLD_PHYSICS);
	bool begun, other;
	int n, rc = 0;

	in->exists = access(mutable, F_OK) == 0;
	n = in->exists ? 0 : entries(in->k.root, "world", &begun);
	if (in->exists && in->k.shared && access(shared, F_OK) != 0)
		rc = err_set(e, VIV_REFUSED, "'%s' is a world that is not shared, and stays one",
		    in->k.root);
	else if (n < 0 && errno != ENOENT)
		rc = err_sys(e, VIV_CANTCREAT, "cannot make a world in '%s'", in->k.root);
	else if (n > 0 && !(n == 1 && begun && entries(world, "", &other) == 0) &&
	    access(mutable, F_OK) != 0)
		rc = err_set(e, VIV_CANTCREAT, "'%s' is neither empty nor a world", in->k.root);
	free(world);
	free(mutable);
	free(shared);
	return rc;
}

/* The path as a word of the shell, when it needs quotes and can have them. */
static void
say_next(const struct init *in)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789/._+:@%-";
	const char *quote = in->k.root[strspn(in->k.root, plain)] == '\0' ? "" : "'";

	if (in->quiet)
		return;
	if (in->k.made == 0)
		err_warn("'%s' is a world already, nothing changed", in->k.root);
	if (in->k.dry || in->exists)
		return;
	err_warn("made the world '%s'", in->k.root);
	err_warn("next: export VIV_ROOT=%s%s%s", quote, in->k.root, quote);
	if (in->k.nreads == 0)
		err_warn("tasks may read nothing of yours yet: viv-init --read DIR %s%s%s", quote,
		    in->k.root, quote);
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
			in->k.reads = mem_grow(in->k.reads, in->k.nreads + 1, sizeof(*in->k.reads));
			in->k.reads[in->k.nreads++] = mem_dup(optarg);
		}
		in->k.shared |= c == 's';
		in->k.dry |= c == 'n';
		in->quiet |= c == 'q';
	}
	if (argc - optind > 1)
		opt_usage("one directory at a time");
	if (argc > optind && opt_world != NULL)
		opt_usage("the world is named twice");
	dir = argc > optind ? argv[optind] : opt_world != NULL ? opt_world : ".";
	in->k.root = *dir != '\0' ? resolve(dir) : NULL;
	if (in->k.root == NULL)
		err_exit(VIV_CANTCREAT, "cannot make a world in '%s': %s", dir, strerror(errno));
}

int
main(int argc, char **argv)
{
	struct init in = {0};
	struct err e = {0};

	opt_init(argc, argv, USAGE);
	parse(&in, argc, argv);
	in.k.note = note;
	in.k.arg = &in;
	if (check_root(&in, &e) != 0 || check_reads(&in, &e) != 0 || skeleton_make(&in.k, &e) != 0)
		err_die(&e);
	say_next(&in);
	for (size_t i = 0; i < in.k.nreads; i++)
		free(in.k.reads[i]);
	free(in.k.reads);
	free(in.k.root);
	return opt_end(0);
}
