/*
 * artifact: the markdown that an approved result becomes.
 *
 * Each result leaves an entry in its identity's journal of the day, and a document. A
 * task may say where the document goes, inside these roots below world/mutable:
 *
 *   library/community_library/swarm_docs, library/swarm_docs      everybody's
 *   .../resident_suggestions/NAME, library/resident_suggestions/NAME   NAME's alone
 *   .swarm/journals/NAME_YYYY-MM-DD.md                            NAME's alone
 *
 * NAME is the identity's slug. Two identities can have the same slug ("a b", "a/b"),
 * so one that is not its own slug gets a hash of it and a '-' at the end, which no slug
 * has: nobody can be called so. A journal is only ever added to.
 */
#include "artifact.h"

#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "json.h"
#include "utf8.h"

enum {
	PATH_BYTES = 1024,
	NAME_BYTES = 255,
	DEPTH = 16,
	OWNER_SLUG = 60, OWNER_DIGITS = 16	/* of an identity that is not its own slug */
};

#define TRIM "._-"

static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    c == '.' || c == '_' || c == '-';
}

char *
artifact_slug(const char *s, const char *fallback)
{
	struct buf b = {0};
	size_t from, n;
	char *slug;

	for (; *s != '\0'; s++) {
		if (is_plain(*s))
			buf_char(&b, *s);
		else if (b.len == 0 || is_plain(s[-1]))
			buf_char(&b, '_');
	}
	buf_char(&b, '\0');
	from = strspn(b.p, TRIM);
	n = strlen(b.p + from);
	while (n > 0 && strchr(TRIM, b.p[from + n - 1]) != NULL)
		n--;
	slug = n > 0 ? mem_ndup(b.p + from, n < ARTIFACT_SLUG ? n : ARTIFACT_SLUG) :
	    mem_dup(fallback);
	buf_free(&b);
	return slug;
}

char *
artifact_owner(const char *identity)
{
	char *slug = artifact_slug(identity, ARTIFACT_UNKNOWN), *own;
	char hash[FILE_SHA256];

	if (strcmp(slug, identity) == 0)
		return slug;
	file_sha256(identity, strlen(identity), hash);
	own = mem_fmt("%.*s-%.*s-", OWNER_SLUG, slug, OWNER_DIGITS, hash);
	free(slug);
	return own;
}

/* --- where --- */

static const struct {
	const char *path;
	enum { COMMON, OWN, JOURNAL } kind;
} root[] = {
    {"library/community_library/swarm_docs/", COMMON},
    {"library/swarm_docs/", COMMON},
    {ARTIFACT_SUGGESTIONS "/", OWN},
    {"library/resident_suggestions/", OWN},
    {ARTIFACT_JOURNALS "/", JOURNAL},
};

/* "NAME_2030-01-31.md" */
static bool
is_journal_of(const char *name, const char *owner)
{
	static const char form[] = "_dddd-dd-dd.md";
	size_t n = strlen(owner);

	if (strncmp(name, owner, n) != 0 || strlen(name + n) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		char c = name[n + i];

		if (form[i] == 'd' && i < 11 ? c < '0' || c > '9' : c != form[i])
			return false;
	}
	return true;
}

/* Each name of the path is a plain one; the last ends in .md. */
static const char *
wrong_names(const char *path)
{
	const char *p = path;
	int depth = 0;

	for (;;) {
		size_t n = strcspn(p, "/");

		if (n == 0)
			return *path == '/' ? "it is absolute" : "a name in it is empty";
		if (p[0] == '.' && (p != path || strncmp(path, ".swarm/", 7) != 0))
			return n == 2 && p[1] == '.' ? "it contains '..'" :
						       "a name in it begins with '.'";
		if (n > NAME_BYTES || ++depth > DEPTH)
			return "it is too long";
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
				return "it contains a control character";
		if (p[n] == '\0')
			return n > 3 && strcmp(p + n - 3, ".md") == 0 ? NULL :
									"it does not end in .md";
		p += n + 1;
	}
}

static const char *
wrong_place(const char *path, const char *owner, bool *journal_out)
{
	for (size_t i = 0; i < sizeof(root) / sizeof(root[0]); i++) {
		size_t n = strlen(root[i].path), own = strlen(owner);
		const char *rest = path + n;

		if (strncmp(path, root[i].path, n) != 0)
			continue;
		*journal_out = root[i].kind == JOURNAL;
		if (root[i].kind == JOURNAL && !is_journal_of(rest, owner))
			return "it is not a journal of this identity";
		if (root[i].kind == OWN && (strncmp(rest, owner, own) != 0 || rest[own] != '/'))
			return "it is not in the folder of this identity";
		return NULL;
	}
	return "it is outside the places for documents";
}

int
artifact_check(const char *path, const char *owner, bool *journal_out, struct err *e)
{
	size_t n = strlen(path);
	const char *why = NULL;

	*journal_out = false;
	if (n == 0)
		why = "it is empty";
	else if (n > PATH_BYTES)
		why = "it is too long";
	else if (utf8_invalid(path, n) != n)
		why = "it is not UTF-8";
	else if ((why = wrong_names(path)) == NULL)
		why = wrong_place(path, owner, journal_out);
	return why == NULL ? 0 : err_set(e, VIV_REFUSED, "%s", why);
}

static bool
is_truthy(const cJSON *v)
{
	return v != NULL && !cJSON_IsNull(v) && !cJSON_IsFalse(v) &&
	    !(cJSON_IsString(v) && *v->valuestring == '\0') &&
	    !(cJSON_IsNumber(v) && v->valuedouble == 0) &&
	    !((cJSON_IsArray(v) || cJSON_IsObject(v)) && v->child == NULL);
}

const char *
artifact_asked(const cJSON *line, bool *given_out)
{
	static const char *const member[] = {"doc_path", "artifact_path", "output_path"};

	*given_out = false;
	for (size_t i = 0; i < sizeof(member) / sizeof(member[0]) && !*given_out; i++) {
		const cJSON *v = json_get(line, member[i]);

		*given_out = is_truthy(v);
		if (*given_out)
			return cJSON_GetStringValue(v);
	}
	return NULL;
}

/* --- what --- */

bool
artifact_blank(const char *text)
{
	return text == NULL || text[strspn(text, " \t\r\n\v\f")] == '\0';
}

static void
bullet(struct buf *out, const char *name, const char *value)
{
	size_t size = strlen(value) + 1;
	char *line = mem_zero(1, size);

	utf8_printable(line, size, value, size - 1);
	buf_fmt(out, "- %s: %s\n", name, line);
	free(line);
}

/* A fence longer than any run of backticks inside. */
static void
fenced(struct buf *out, const char *text)
{
	size_t longest = 2, run = 0;

	for (const char *p = text; *p != '\0'; p++) {
		run = *p == '`' ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	for (size_t i = 0; i <= longest; i++)
		buf_char(out, '`');
	buf_char(out, '\n');
	buf_str(out, text);
	buf_str(out, text[0] != '\0' && text[strlen(text) - 1] == '\n' ? "" : "\n");
	for (size_t i = 0; i <= longest; i++)
		buf_char(out, '`');
	buf_char(out, '\n');
}

static void
section(struct buf *out, const char *title, const char *text, bool output)
{
	buf_fmt(out, "\n## %s\n\n", title);
	if (artifact_blank(text)) {
		buf_str(out, "_none_\n");
	} else if (output) {
		fenced(out, text);
	} else {
		buf_str(out, text);
		buf_str(out, text[strlen(text) - 1] == '\n' ? "" : "\n");
	}
}

void
artifact_record(struct buf *out, const char *kind, const struct artifact *a)
{
	const char *identity = a->identity != NULL ? a->identity : ARTIFACT_UNKNOWN;

	buf_fmt(out, "# %s: %s\n\n", kind, a->id);
	bullet(out, "generated_at", a->generated_at);
	bullet(out, "task_id", a->id);
	buf_fmt(out, "- generation: %lld\n", (long long)a->generation);
	bullet(out, "identity_id", identity);
	bullet(out, "identity_name", a->name != NULL ? a->name : identity);
	section(out, "Prompt", a->prompt, a->output);
	section(out, "Suggestion", a->text, a->output);
}
