/*
 * key: the secret of a provider, from where it is kept to where it is used.
 *
 * The environment comes first, then a file that only its owner can read, then a command
 * (a password store's), which is run without a shell, gets no variable whose name looks
 * like a key's, and has to be quick, because the other calls of this process wait for it.
 * The copy in memory is wiped when the request is over. Servers quote requests in their
 * answers, so whatever is written down passes key_hide first.
 */
#include "key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "proc.h"

extern char **environ;

bool
key_ok(const char *key, size_t min, size_t max)
{
	size_t n = strlen(key);

	for (const char *p = key; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return n >= min && n <= max;
}

void
key_wipe(char *key)
{
	if (key != NULL)
		explicit_bzero(key, strlen(key));
	free(key);
}

void
key_hide(char *s, const char *key)
{
	size_t n = key != NULL ? strlen(key) : 0;

	if (n < 4)
		return;		/* no secret; and every answer has such letters */
	while ((s = strstr(s, key)) != NULL) {
		memset(s, '*', n);
		s += n;
	}
}

/* The first line of text, checked; what is in *b is wiped. */
static int
take(struct buf *b, const char *from, char **key_out, struct err *e)
{
	int rc = 0;

	if (b->p != NULL) {
		b->p[strcspn(b->p, "\r\n")] = '\0';
		if (key_ok(b->p, 1, KEY_ANY_MAX))
			*key_out = mem_dup(b->p);
		else if (*b->p != '\0')
			rc = err_set(e, VIV_CONFIG,
			    "%s is no key: blanks, control or non-ASCII characters", from);
		explicit_bzero(b->p, b->cap);
	}
	buf_free(b);
	return rc;
}

static int
from_file(const char *name, const struct world *w, char **key_out, struct err *e)
{
	char *path = *name == '/' ? mem_dup(name) : mem_fmt("%s/%s", WORLD_SECURITY, name);
	char *from = mem_fmt("'%s'", path);
	int dir = *name == '/' ? AT_FDCWD : w != NULL ? w->fd : -1, rc = 0;
	struct buf b = {0};
	struct stat st;

	if (dir == -1 || fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
		if (dir != -1 && errno != ENOENT)
			rc = err_sys(e, VIV_CONFIG, "cannot look at %s", from);
	} else if ((st.st_mode & 0077) != 0 || (st.st_uid != 0 && st.st_uid != geteuid())) {
		rc = err_set(e, VIV_CONFIG, "%s is open to others: chmod 600 it", from);
	} else {
		buf_reserve(&b, KEY_ANY_MAX + 4096);	/* not moved while it grows */
		rc = file_read(dir, path, KEY_ANY_MAX, &b, e);
		if (rc == 0)
			rc = take(&b, from, key_out, e);
		else if (rc == -VIV_NO)
			rc = 0;
		else
			rc = -VIV_CONFIG;
		buf_free(&b);
	}
	free(from);
	free(path);
	return rc;
}

/* Our environment without what may be another key; the strings are not copied. */
static char **
clean_environment(const char *own)
{
	size_t n = 0, used = 0;
	char **env;

	while (environ[n] != NULL)
		n++;
	env = mem_zero(n + 1, sizeof(char *));
	for (size_t i = 0; i < n; i++) {
		size_t len = strcspn(environ[i], "=");
		char *name = mem_ndup(environ[i], len);

		if (strstr(name, "KEY") == NULL && strstr(name, "TOKEN") == NULL &&
		    strstr(name, "SECRET") == NULL && (own == NULL || strcmp(name, own) != 0))
			env[used++] = environ[i];
		free(name);
	}
	return env;
}

static int
from_command(const struct key_source *s, char **key_out, struct err *e)
{
	char **env = clean_environment(s->env);
	struct proc_spec spec = {.path = s->command[0], .argv = s->command, .env = env,
	    .timeout_s = KEY_COMMAND_S, .max_output = KEY_ANY_MAX, .max_total = 1 << 20};
	struct proc p = {0};
	int rc = proc_run(&p, &spec, e);

	if (rc == 0 && (p.why != PROC_EXITED || p.exit_code != 0))
		rc = err_set(e, VIV_CONFIG, "the key command '%s' failed%s%s", s->command[0],
		    p.why == PROC_NOT_STARTED ? ": " : p.why == PROC_TIMED_OUT ? " in time" : "",
		    p.why == PROC_NOT_STARTED ? p.problem : "");
	if (rc == 0)
		rc = take(&p.out.text, "what the key command printed", key_out, e);
	if (p.out.text.p != NULL)
		explicit_bzero(p.out.text.p, p.out.text.cap);
	proc_free(&p);
	free(env);
	return rc;
}

int
key_read(const struct key_source *s, const struct world *w, char **key_out, struct err *e)
{
	const char *v = s->env != NULL ? getenv(s->env) : NULL;
	int rc = 0;

	*key_out = NULL;
	if (v != NULL && *v != '\0') {
		if (!key_ok(v, 1, KEY_ANY_MAX))
			return err_set(e, VIV_CONFIG, "'%s' holds no key: blanks, control or "
			    "non-ASCII characters", s->env);
		*key_out = mem_dup(v);
		return 0;
	}
	if (s->file != NULL)
		rc = from_file(s->file, w, key_out, e);
	if (rc == 0 && *key_out == NULL && s->command != NULL)
		rc = from_command(s, key_out, e);
	return rc;
}
