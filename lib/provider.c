/*
 * provider: which servers may be asked, in which order, and with which key.
 *
 * The list is meta/security/providers.json, else the installed one: Groq, then whatever
 * OPENAI_BASE_URL names. It is read anew for each call, and so is the key, so that a new
 * one counts in the next call of every process.
 *
 * A server that is asked with a key and is not this machine must be https: a key never
 * leaves in the clear. No address may carry a name and password, because addresses appear
 * in messages. A member that is not known is an error: it was meant to do something.
 */
#include "provider.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "json.h"

enum { PROVIDERS_BYTES = 1 << 20 };

static void
strings_free(char **v)
{
	for (char **p = v; p != NULL && *p != NULL; p++)
		free(*p);
	free(v);
}

static void
provider_free(struct provider *p)
{
	free(p->name);
	free(p->url);
	free(p->key.env);
	free(p->key.file);
	strings_free(p->key.command);
	strings_free(p->models);
	free(p->model);
	free(p->tokens_member);
	free(p->cassette);
	free(p->ca_file);
}

void
providers_free(struct providers *p)
{
	for (size_t i = 0; i < p->n; i++)
		provider_free(&p->v[i]);
	free(p->v);
	*p = (struct providers){0};
}

/* The members of one object: each reader takes its own, what is left is not known. */
struct members {
	cJSON *obj;
	const char *of;		/* for messages */
	struct err *e;
	int rc;
};

static cJSON *
member(struct members *m, const char *name, bool (*fits)(const cJSON *), const char *what)
{
	cJSON *v = m->rc == 0 ? cJSON_DetachItemFromObjectCaseSensitive(m->obj, name) : NULL;

	if (v != NULL && !fits(v)) {
		m->rc = err_set(m->e, VIV_CONFIG, "'%s' of %s is not %s", name, m->of, what);
		cJSON_Delete(v);
		v = NULL;
	}
	return v;
}

static bool
is_text(const cJSON *v)
{
	return cJSON_IsString(v) && *v->valuestring != '\0';
}

static bool
is_texts(const cJSON *v)
{
	const cJSON *item;

	if (!cJSON_IsArray(v) || v->child == NULL)
		return false;
	cJSON_ArrayForEach(item, v)
		if (!is_text(item))
			return false;
	return true;
}

static bool
is_bool(const cJSON *v)
{
	return cJSON_IsBool(v);
}

static bool
is_seconds(const cJSON *v)
{
	return cJSON_IsNumber(v) && v->valuedouble > 0 && v->valuedouble <= 3600;
}

static bool
is_object(const cJSON *v)
{
	return cJSON_IsObject(v);
}

static char *
text(struct members *m, const char *name)
{
	cJSON *v = member(m, name, is_text, "a text");
	char *s = v != NULL ? mem_dup(v->valuestring) : NULL;

	cJSON_Delete(v);
	return s;
}

static char **
texts(struct members *m, const char *name)
{
	cJSON *v = member(m, name, is_texts, "a list of texts");
	char **list = NULL;
	int n = cJSON_GetArraySize(v);

	if (v != NULL) {
		list = mem_zero((size_t)n + 1, sizeof(char *));
		for (int i = 0; i < n; i++)
			list[i] = mem_dup(cJSON_GetArrayItem(v, i)->valuestring);
	}
	cJSON_Delete(v);
	return list;
}

static bool
truth(struct members *m, const char *name, bool dflt)
{
	cJSON *v = member(m, name, is_bool, "true or false");
	bool b = v != NULL ? cJSON_IsTrue(v) : dflt;

	cJSON_Delete(v);
	return b;
}

static double
seconds(struct members *m, const char *name, double dflt)
{
	cJSON *v = member(m, name, is_seconds, "a number of seconds up to 3600");
	double s = v != NULL ? v->valuedouble : dflt;

	cJSON_Delete(v);
	return s;
}

static int
nothing_left(struct members *m)
{
	if (m->rc == 0 && m->obj->child != NULL)
		m->rc = err_set(m->e, VIV_CONFIG, "'%s' of %s is not known",
		    m->obj->child->string, m->of);
	return m->rc;
}

static int
read_key(struct provider *p, struct members *outer)
{
	cJSON *obj = member(outer, "key", is_object, "an object");
	struct members m = {obj, outer->of, outer->e, outer->rc};

	if (obj == NULL) {
		p->key.optional = true;
		return outer->rc;
	}
	p->key.env = text(&m, "env");
	p->key.file = text(&m, "file");
	p->key.command = texts(&m, "command");
	p->key.optional = truth(&m, "optional", false);
	if (m.rc == 0 && p->key.command != NULL && p->key.command[0][0] != '/')
		m.rc = err_set(m.e, VIV_CONFIG,
		    "the key command of %s must begin with an absolute path", m.of);
	outer->rc = nothing_left(&m);
	cJSON_Delete(obj);
	return outer->rc;
}

/* Scheme and host of a URL; host_out is cut to size. */
static bool
url_host(const char *url, bool *tls_out, char *host, size_t size)
{
	const char *p = url;
	size_t n;

	*tls_out = strncasecmp(p, "https://", 8) == 0;
	if (!*tls_out && strncasecmp(p, "http://", 7) != 0)
		return false;
	p += *tls_out ? 8 : 7;
	if (strcspn(p, "@") < strcspn(p, "/?#"))
		return false;
	if (*p == '[')
		n = strcspn(++p, "]/");
	else
		n = strcspn(p, ":/?#");
	if (n == 0 || n >= size || p[strcspn(p, " \t\r\n#")] != '\0')
		return false;
	memcpy(host, p, n);
	host[n] = '\0';
	return true;
}

bool
provider_loopback(const char *url)
{
	char host[256];
	struct in_addr v4;
	struct in6_addr v6;
	bool tls;

	if (!url_host(url, &tls, host, sizeof(host)))
		return false;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6);
	return strcasecmp(host, "localhost") == 0;
}

/* Bases and whole addresses are both given; the query, if any, stays behind. */
static char *
completions_url(const char *url)
{
	static const char tail[] = "/chat/completions";
	size_t n = strcspn(url, "?"), path = n;

	while (path > 0 && url[path - 1] == '/')
		path--;
	if (path >= sizeof(tail) - 1 &&
	    strncmp(url + path - (sizeof(tail) - 1), tail, sizeof(tail) - 1) == 0)
		return mem_fmt("%.*s%s", (int)path, url, url + n);
	return mem_fmt("%.*s%s%s", (int)path, url, tail, url + n);
}

static int
read_url(struct provider *p, struct members *m, bool *skip_out)
{
	char *fixed = text(m, "url"), *env = text(m, "url_env"), host[256];
	const char *given = env != NULL ? getenv(env) : NULL, *url = fixed;
	bool tls;

	if (given != NULL && *given != '\0')
		url = given;
	if (m->rc == 0 && url == NULL && env == NULL)
		m->rc = err_set(m->e, VIV_CONFIG, "%s has neither 'url' nor 'url_env'", m->of);
	*skip_out = m->rc == 0 && url == NULL;
	if (m->rc == 0 && url != NULL) {
		p->url = completions_url(url);
		if (!url_host(p->url, &tls, host, sizeof(host)))
			m->rc = err_set(m->e, VIV_CONFIG,
			    "the address of %s is not http(s)://host/path", m->of);
		else if (!tls && !provider_loopback(p->url) &&
		    (p->key.env != NULL || p->key.file != NULL || p->key.command != NULL))
			m->rc = err_set(m->e, VIV_CONFIG,
			    "%s has a key and is not https: it would travel in the clear", m->of);
	}
	free(fixed);
	free(env);
	return m->rc;
}

/* 0; 1: it has no address now; negative: an error. */
static int
read_provider(struct provider *p, cJSON *obj, size_t i, struct err *e)
{
	char *of = mem_fmt("provider %zu", i + 1), *named;
	struct members m = {obj, of, e, 0};
	bool skip = false;

	p->name = text(&m, "name");
	if (m.rc == 0 && p->name == NULL)
		m.rc = err_set(e, VIV_CONFIG, "provider %zu has no 'name'", i + 1);
	named = p->name != NULL ? mem_fmt("provider '%.60s'", p->name) : NULL;
	m.of = named != NULL ? named : of;
	if (m.rc == 0 && read_key(p, &m) == 0)
		read_url(p, &m, &skip);
	p->models = texts(&m, "models");
	p->model = text(&m, "model");
	p->tokens_member = text(&m, "tokens_member");
	if (p->tokens_member == NULL)
		p->tokens_member = mem_dup("max_tokens");
	p->cassette = text(&m, "cassette");
	p->ca_file = text(&m, "ca_file");
	p->free = truth(&m, "free", false);
	p->stream = truth(&m, "stream", true);
	p->connect_s = seconds(&m, "connect_timeout", 10);
	p->stall_s = seconds(&m, "stall_timeout", 60);
	nothing_left(&m);
	free(of);
	free(named);
	return m.rc != 0 ? m.rc : skip;
}

static int
read_list(struct providers *p, const struct buf *b, struct err *e)
{
	cJSON *v = json_parse(b->p != NULL ? b->p : "", b->len, e), *list, *item;
	size_t i = 0;
	int rc = 0;

	if (v == NULL)
		return -VIV_CONFIG;
	list = json_arr(v, "providers");
	if (json_num(v, "version", 0) != 1 || list == NULL) {
		cJSON_Delete(v);
		return err_set(e, VIV_CONFIG, "no object of version 1 with a list 'providers'");
	}
	p->v = mem_zero((size_t)cJSON_GetArraySize(list) + 1, sizeof(*p->v));
	cJSON_ArrayForEach(item, list) {
		if (!cJSON_IsObject(item))
			rc = err_set(e, VIV_CONFIG, "provider %zu is not an object", i + 1);
		else
			rc = read_provider(&p->v[p->n], item, i, e);
		if (rc != 0) {
			provider_free(&p->v[p->n]);
			p->v[p->n] = (struct provider){0};
		}
		if (rc < 0)
			break;
		p->n += rc == 0;
		i++;
	}
	cJSON_Delete(v);
	return rc < 0 ? rc : 0;
}

/* Ours or root's, and nobody else can change it. */
static int
check_owner(int dir, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;	/* the reader says so */
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 0022) != 0)
		return err_set(e, VIV_CONFIG, "'%s' is open to others: chmod 600 it", name);
	return 0;
}

int
providers_load(struct providers *p, const struct world *w, struct err *e)
{
	struct buf b = {0};
	char *shared = NULL;
	const char *name = PROVIDER_FILE;
	int rc = -VIV_NO;

	*p = (struct providers){0};
	if (w != NULL && (rc = check_owner(w->fd, name, e)) == 0)
		rc = file_read(w->fd, name, PROVIDERS_BYTES, &b, e);
	if (rc == -VIV_NO) {
		name = shared = world_share("providers.json");
		rc = shared != NULL ? file_read(AT_FDCWD, shared, PROVIDERS_BYTES, &b, e) :
				      err_set(e, VIV_CONFIG, "'providers.json' is not installed");
	}
	if (rc == 0) {
		rc = read_list(p, &b, e);
		if (rc != 0) {
			providers_free(p);
			err_prefix(e, "'%s'", name);
		}
	}
	buf_free(&b);
	free(shared);
	return rc;
}

bool
provider_serves(const struct provider *p, const char *id, const char *asked)
{
	if (p->models == NULL)
		return true;
	for (char **m = p->models; *m != NULL; m++)
		if (strcmp(*m, "*") == 0 || strcmp(*m, asked) == 0 ||
		    (id != NULL && strcmp(*m, id) == 0))
			return true;
	return false;
}
