/* env: what a program that this one starts gets to know of the environment. */
#ifndef VIV_ENV_H
#define VIV_ENV_H

enum {
	ENV_KEYS = 1,	/* keys of providers: *_API_KEY */
	ENV_HTTP = 2	/* HTTP_PROXY; behind a web server that is a header of the request */
};

/*
 * An environment for one of our commands: where its settings are, language, time zone, the
 * way out; never the API's token, nor anything that is not named in env.c, so that a secret
 * of the shell that started us does not travel further. VIV_ROOT is root (NULL: none), PATH
 * is path (NULL: ours). what: ENV_ flags. env_free frees.
 */
char **env_make(const char *root, const char *path, unsigned int what);
void env_free(char **env);

#endif
