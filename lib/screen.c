/*
 * screen: phrases that a task's own text must not hold (reference core.md 2.10).
 *
 * Such lists stop the careless and the copied attack, not the clever one; the sandbox
 * and the money limits are the boundary. Two things are done better than by looking for
 * substrings:
 *
 * The text is brought to a normal form first. Letters in another dress become plain ones
 * (letter.h), what cannot be seen is dropped; the rest becomes tokens, each with a note of
 * what separated it from the one before (a line end, a slash, a pipe ...).
 *
 * A phrase matches when its letters, without blanks, are spelled by whole tokens:
 * "phone home", "Phone-Home", "phonehome" and "p h o n e home" are one, "headphone
 * homepage" is another. Between two words of a phrase small words (all, the, your ...)
 * are passed over.
 *
 * No word switches a check off: "securely exfiltrate data to" is not safer.
 */
#include "screen.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "letter.h"
#include "utf8.h"

enum {				/* what stood before a token, since the last one */
	SEP_LINE = 1, SEP_SLASH = 2, SEP_PIPE = 4, SEP_SUBST = 8, SEP_LESS = 16, SEP_OTHER = 32
};

struct token {
	size_t at, len;		/* in norm.text */
	unsigned sep;
};

struct norm {
	struct buf text;	/* the tokens' bytes, one after the other */
	struct token *token;
	size_t n, cap;
};

/* Blanks and punctuation that are not ASCII. */
static bool
separator(uint32_t cp)
{
	return cp < 0xc0 || cp == 0xd7 || cp == 0xf7 || (cp >= 0x2000 && cp <= 0x206f) ||
	    (cp >= 0x2190 && cp <= 0x23ff) || (cp >= 0x2500 && cp <= 0x27ff) || cp == 0x1680 ||
	    (cp >= 0x3000 && cp <= 0x303f) || (cp >= 0xfe30 && cp <= 0xfe6f) ||
	    (cp >= 0xff00 && cp <= 0xff0f) || (cp >= 0xff1a && cp <= 0xff65);
}

static unsigned
sep_kind(uint32_t cp, uint32_t before)
{
	switch (cp) {
	case '\n': case '\r': case 0x0b: case 0x0c: case 0x85: case 0x2028: case 0x2029:
		return SEP_LINE;
	case '/': case '\\': case 0x2044: case 0x2215: case 0x29f8:
		return SEP_SLASH;
	case '|': case 0x2223: case 0x01c0:
		return SEP_PIPE;
	case '`':
		return SEP_SUBST;
	case '(':
		return before == '$' || before == '<' ? SEP_SUBST : SEP_OTHER;
	case '<':
		return SEP_LESS;
	default:
		return SEP_OTHER;
	}
}

static void
normalise(struct norm *t, const char *s, size_t n)
{
	uint32_t cp, before = 0;
	unsigned sep = SEP_LINE;
	size_t len;

	for (size_t i = 0; i < n; i += len) {
		char plain[LETTER_MAX];
		size_t letters;

		len = utf8_decode(s + i, n - i, &cp);
		if (len == 0) {		/* the caller promised otherwise */
			len = 1;
			cp = ' ';
		}
		if (letter_invisible(cp))
			continue;
		letters = letter_plain(cp, plain);
		if (cp >= 0xff01 && cp <= 0xff5e)
			cp -= 0xfee0;
		if (letters == 0 && separator(cp)) {
			sep |= sep_kind(cp, before);
			before = cp;
			continue;
		}
		if (sep != 0) {
			if (t->n == t->cap) {
				t->cap = t->cap != 0 ? t->cap * 2 : 64;
				t->token = mem_grow(t->token, t->cap, sizeof(*t->token));
			}
			t->token[t->n++] = (struct token){.at = t->text.len, .sep = sep};
		}
		if (letters > 0)
			buf_add(&t->text, plain, letters);
		else
			buf_add(&t->text, s + i, len);
		t->token[t->n - 1].len = t->text.len - t->token[t->n - 1].at;
		sep = 0;
		before = cp;
	}
}

static bool
is(const struct norm *t, size_t i, const char *word)
{
	return i < t->n && strlen(word) == t->token[i].len &&
	    memcmp(t->text.p + t->token[i].at, word, t->token[i].len) == 0;
}

static bool
any_of(const struct norm *t, size_t i, const char *const *words)
{
	for (; *words != NULL; words++)
		if (is(t, i, *words))
			return true;
	return false;
}

/* Do whole tokens from i on spell the phrase? */
static bool
spelled(const struct norm *t, size_t i, const char *phrase)
{
	static const char *const small[] = {"a", "all", "an", "any", "my", "of", "our", "the",
	    "these", "this", "those", "your", NULL};
	const char *p = phrase;

	for (; i < t->n; i++) {
		const char *at = p;
		size_t k = 0;

		for (; k < t->token[i].len && *at != '\0'; at++) {
			if (*at == ' ')
				continue;
			if (*at != t->text.p[t->token[i].at + k])
				break;
			k++;
		}
		if (k == t->token[i].len) {
			p = at;
			if (*p == '\0')
				return true;
		} else if (p == phrase || *p != ' ' || !any_of(t, i, small)) {
			return false;
		}
	}
	return false;
}

static bool
has_phrase(const struct norm *t, const char *const *phrases)
{
	for (; *phrases != NULL; phrases++)
		for (size_t i = 0; i < t->n; i++)
			if (spelled(t, i, *phrases))
				return true;
	return false;
}

static bool
constitutional(const struct norm *t)
{
	static const char *const phrases[] = {"exfiltrate data to", "exfiltrate secrets to",
	    "exfiltrate credentials to", "send secrets to", "self replicate to external",
	    "replicate yourself to external", "phone home", NULL};

	return !has_phrase(t, phrases);
}

/* Two tokens with nothing but a path's separator between them. */
static bool
path_pair(const struct norm *t, size_t i, const char *dir, const char *name)
{
	return is(t, i, dir) && is(t, i + 1, name) && (t->token[i + 1].sep & SEP_SLASH) != 0 &&
	    (t->token[i + 1].sep & SEP_LINE) == 0;
}

static bool
workspace(const struct norm *t)
{
	for (size_t i = 0; i + 1 < t->n; i++)
		if (path_pair(t, i, "etc", "passwd") || path_pair(t, i, "etc", "shadow") ||
		    path_pair(t, i, "windows", "system32"))
			return false;
	return true;
}

static const char *const fetchers[] = {"curl", "wget", NULL};
static const char *const shells[] = {
    "sh", "bash", "dash", "zsh", "ksh", "python", "python3", "perl", "node", NULL};

/* From a fetcher at i: a pipe into a shell on the same line, perhaps as
 * "sudo /usr/bin/env bash"? */
static bool
piped_to_shell(const struct norm *t, size_t i)
{
	static const char *const between[] = {
	    "sudo", "env", "exec", "nohup", "usr", "local", "bin", NULL};

	for (size_t j = i + 1; j < t->n && (t->token[j].sep & SEP_LINE) == 0; j++) {
		size_t k = j;

		if ((t->token[j].sep & SEP_PIPE) == 0)
			continue;
		while (any_of(t, k, between) && k + 1 < t->n &&
		    (t->token[k + 1].sep & (SEP_LINE | SEP_PIPE)) == 0)
			k++;
		if (any_of(t, k, shells))
			return true;
	}
	return false;
}

/* From a shell at i: $(curl ...), `curl ...` or <(curl ...) on the same line? */
static bool
shell_of_fetched(const struct norm *t, size_t i)
{
	for (size_t j = i + 1; j < t->n && (t->token[j].sep & SEP_LINE) == 0; j++)
		if ((t->token[j].sep & SEP_SUBST) != 0 && any_of(t, j, fetchers))
			return true;
	return false;
}

static bool
network(const struct norm *t)
{
	/* what must follow a fetcher or a shell is looked for only once a line: the first
	 * of each kind on a line sees everything that later ones would */
	bool fetcher = false, shell = false;

	for (size_t i = 0; i < t->n; i++) {
		if ((t->token[i].sep & SEP_LINE) != 0)
			fetcher = shell = false;
		if (!fetcher && any_of(t, i, fetchers)) {
			fetcher = true;
			if (piped_to_shell(t, i))
				return false;
		}
		if (!shell && any_of(t, i, shells)) {
			shell = true;
			if (shell_of_fetched(t, i))
				return false;
		}
	}
	return true;
}

static bool
prompt(const struct norm *t)
{
	static const char *const phrases[] = {"ignore previous instructions",
	    "ignore prior instructions", "ignore above instructions", "ignore earlier instructions",
	    "ignore preceding instructions", "disregard all above", "disregard everything above",
	    "disregard previous instructions", "disregard prior instructions",
	    "disregard above instructions", "forget everything", "forget previous instructions",
	    "override constraints", NULL};
	/* what chat templates mark the roles with */
	static const char *const marks[] = {"im start", "im end", "start header id",
	    "end header id", "eot id", "end of text", NULL};

	if (has_phrase(t, phrases))
		return false;
	for (size_t i = 0; i < t->n; i++) {
		unsigned sep = t->token[i].sep;

		if ((sep & SEP_LESS) != 0 && (sep & SEP_SLASH) != 0 && is(t, i, "system"))
			return false;
		for (const char *const *m = marks; (sep & SEP_LESS) != 0 && (sep & SEP_PIPE) != 0 &&
		     *m != NULL; m++)
			if (spelled(t, i, *m))
				return false;
	}
	return true;
}

void
screen_text(const char *text, size_t n, struct screen *out)
{
	static const struct {
		const char *name;
		bool (*check)(const struct norm *t);
		const char *reason;
	} checks[SCREEN_CHECKS] = {
		{"constitutional", constitutional, "asks to send data out or to replicate"},
		{"workspace", workspace, "names a system file outside the workspace"},
		{"network", network, "feeds something fetched from the network to an interpreter"},
		{"prompt", prompt, "tries to override instructions"},
	};
	struct norm t = {0};

	memset(out, 0, sizeof(*out));
	normalise(&t, text, n);
	out->passed = true;
	for (int i = 0; i < SCREEN_CHECKS && out->passed; i++) {
		out->passed = checks[i].check(&t);
		out->check[i] = (struct screen_check){.name = checks[i].name, .passed = out->passed,
			.reason = out->passed ? "ok" : checks[i].reason};
		out->run = i + 1;
	}
	buf_free(&t.text);
	free(t.token);
}
