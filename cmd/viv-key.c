/*
 * viv-key: stores, masks and removes the provider's key of a world.
 *
 * The key is read from standard input, on a terminal without echo, and never from an
 * argument, which every user of the machine could read. It lies in
 * meta/security/groq_api_key.txt, 0600, and is read for each call, so a new one counts at
 * once. "show" prints at most the first and last 4 characters; there is no verb that
 * prints the whole, cat(1) does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "file.h"
#include "json.h"
#include "key.h"
#include "opt.h"
#include "world.h"

#define USAGE "viv-key [-nq] [-C DIR] set | show [-J] | clear"
#define PATH WORLD_SECURITY "/" KEY_FILE

static struct termios shown;	/* how the terminal was */
static volatile sig_atomic_t hidden;

static void
show_again(void)
{
	if (hidden)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	hidden = 0;
}

/* Killed at the prompt: leave a terminal that echoes. */
static void
on_signal(int sig)
{
	show_again();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void
hide(void)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct termios t;

	if (tcgetattr(STDIN_FILENO, &shown) != 0)
		return;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sigaction(SIGQUIT, &sa, NULL);
	t = shown;
	t.c_lflag &= ~(tcflag_t)ECHO;
	hidden = tcsetattr(STDIN_FILENO, TCSAFLUSH, &t) == 0;
	fputs("key: ", stderr);
}

/* The first line of stdin without blanks around it, into key (KEY_MAX + 2 bytes). */
static void
read_key(char *key)
{
	bool tty = isatty(STDIN_FILENO);
	size_t n = 0;
	char c;
	ssize_t got;

	if (tty)
		hide();
	while ((got = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
		if (n < KEY_MAX + 1 && (n > 0 || (c != ' ' && c != '\t')))
			key[n++] = c;
	if (tty) {
		show_again();
		fputc('\n', stderr);
	}
	if (got < 0)
		err_exit(VIV_IO, "cannot read the key: %s", strerror(errno));
	while (n > 0 && strchr(" \t\r", key[n - 1]) != NULL)
		n--;
	key[n] = '\0';
}

static int
set(const struct world *w, bool dry, bool quiet)
{
	char key[KEY_MAX + 2] = "";
	struct err e;
	int rc = 0;

	read_key(key);
	if (!key_ok(key, KEY_MIN, KEY_MAX)) {
		explicit_bzero(key, sizeof(key));
		err_exit(VIV_NO, "a key has %d to %d printable characters without blanks", KEY_MIN,
		    KEY_MAX);
	}
	if (!dry) {
		size_t n = strlen(key);

		key[n] = '\n';
		rc = file_replace(w->fd, PATH, key, n + 1, 0600, &e);
	}
	explicit_bzero(key, sizeof(key));
	if (rc != 0)
		err_die(&e);
	if (!quiet)
		err_warn("%s '%s'; it counts from the next call on", dry ? "would store it in" :
		    "stored in", PATH);
	if (getenv("GROQ_API_KEY") != NULL && *getenv("GROQ_API_KEY") != '\0' && !quiet)
		err_warn("but GROQ_API_KEY is set and comes first");
	return 0;
}

/* First and last 4 characters; of a short one nothing. */
static void
mask(const char *key, char out[16])
{
	size_t n = strlen(key);

	if (n < KEY_MIN)
		snprintf(out, 16, "********");
	else
		snprintf(out, 16, "%.4s...%s", key, key + n - 4);
}

static int
show(const struct world *w, bool json)
{
	static char env[] = "GROQ_API_KEY", file[] = KEY_FILE;
	struct key_source source = {.env = env, .file = file};
	bool from_env = getenv(env) != NULL && *getenv(env) != '\0';
	const char *from = from_env ? env : PATH;
	char *key = NULL, masked[16] = "";
	struct err e;
	bool there;

	if (key_read(&source, w, &key, &e) != 0)
		err_die(&e);
	there = key != NULL;
	if (there)
		mask(key, masked);
	key_wipe(key);
	if (json) {
		cJSON *v = json_new();

		json_set_bool(v, "set", there);
		json_set_str(v, "key", there ? masked : NULL);
		json_set_str(v, "source", !there ? NULL : from_env ? "environment" : "file");
		json_puts(v);
		cJSON_Delete(v);
	} else if (there) {
		printf("%s\t%s\n", masked, from);
	} else {
		err_warn("no key is stored, and %s is not set", env);
	}
	return there ? 0 : VIV_NO;
}

static int
clear(const struct world *w, bool dry, bool quiet)
{
	struct err e;
	bool there = faccessat(w->fd, PATH, F_OK, AT_SYMLINK_NOFOLLOW) == 0;

	if (there && !dry && unlinkat(w->fd, PATH, 0) != 0)
		err_exit(VIV_IO, "cannot remove '%s': %s", PATH, strerror(errno));
	if (there && !dry && file_sync_dir(w->fd, PATH, &e) != 0)
		err_die(&e);
	if (!quiet)
		err_warn(!there ? "there was no '%s'" : dry ? "would remove '%s'" : "removed '%s'",
		    PATH);
	return there ? 0 : VIV_NO;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {{"dry-run", no_argument, NULL, 'n'},
	    {"quiet", no_argument, NULL, 'q'}, {"json", no_argument, NULL, 'J'},
	    {NULL, 0, NULL, 0}};
	struct rlimit none = {0, 0};
	struct world w;
	struct err e;
	bool dry = false, quiet = false, json = false;
	const char *verb;
	int c, rc;

	opt_init(argc, argv, USAGE);
	while ((c = opt_next(argc, argv, "nqJ", longs)) != -1) {
		dry |= c == 'n';
		quiet |= c == 'q';
		json |= c == 'J';
	}
	if (optind >= argc)
		opt_usage("which: set, show or clear?");
	verb = argv[optind];
	/* What is here instead of a verb may be a key: it is not repeated. */
	if (strcmp(verb, "set") != 0 && strcmp(verb, "show") != 0 && strcmp(verb, "clear") != 0)
		opt_usage("which: set, show or clear?");
	if (optind + 1 < argc)
		opt_usage("'%s' takes no argument; a key comes on standard input", verb);
	if (json && strcmp(verb, "show") != 0)
		opt_usage("-J goes with show");
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	if (world_open(&w, opt_world, &e) != 0)
		err_die(&e);
	rc = *verb == 'c' ? clear(&w, dry, quiet) :
	    verb[1] == 'e' ? set(&w, dry, quiet) :
			     show(&w, json);
	world_close(&w);
	return opt_end(rc);
}
