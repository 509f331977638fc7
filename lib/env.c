/* env: one list of names, for all programs that are started with secrets at hand. */
#include "env.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

extern char **environ;

static bool
begins(const char *var, const char *with)
{
	return strncmp(var, with, strlen(with)) == 0;
}

static bool
passed_on(const char *var, unsigned int what)
{
	static const char *const listed[] = {"HOME=", "TZ=", "LANG=", "LC_ALL=", "LC_CTYPE=",
	    "TMPDIR=", "USER=", "LOGNAME=", "SSL_CERT_FILE=", "SSL_CERT_DIR=", "http_proxy=",
	    "https_proxy=", "HTTPS_PROXY=", "all_proxy=", "ALL_PROXY=", "no_proxy=", "NO_PROXY=",
	    "DEFAULT_GROQ_MODEL=", "VIV_", "VIVARIUM_", "SWARM_", "GROQ_", "OPENAI_"};
	static const char key[] = "_API_KEY";
	size_t n = strcspn(var, "=");

	if (begins(var, "VIV_ROOT=") || begins(var, "VIVARIUM_INTERNAL_"))
		return false;
	if (begins(var, "HTTP_"))
		return begins(var, "HTTP_PROXY=") && (what & ENV_HTTP) != 0;
	if (n > strlen(key) && begins(var + n - strlen(key), key))
		return (what & ENV_KEYS) != 0;
	for (size_t i = 0; i < sizeof(listed) / sizeof(listed[0]); i++)
		if (begins(var, listed[i]))
			return true;
	return false;
}

char **
env_make(const char *root, const char *path, unsigned int what)
{
	size_t n = 0, all = 0;
	char **env;

	while (environ[all] != NULL)
		all++;
	env = mem_zero(all + 3, sizeof(*env));
	for (size_t i = 0; i < all; i++)
		if (passed_on(environ[i], what))
			env[n++] = mem_dup(environ[i]);
	if (path == NULL)
		path = getenv("PATH");
	if (path != NULL)
		env[n++] = mem_fmt("PATH=%s", path);
	if (root != NULL)
		env[n++] = mem_fmt("VIV_ROOT=%s", root);
	return env;
}

void
env_free(char **env)
{
	for (char **v = env; v != NULL && *v != NULL; v++)
		free(*v);
	free(env);
}
