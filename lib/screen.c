/*
 * screen: phrases that a task's own text must not hold (reference core.md 2.10).
 *
 * Such lists stop the careless and the copied attack, not the clever one; the sandbox
 * and the money limits are the boundary. Two things are done better than by looking for
 * substrings:
 *
 * The text is brought to a normal form first. Letters are folded to lower-case ASCII
 * where they are the same letter in another dress (full-width, mathematical, circled,
 * accented) or look the same (Cyrillic and Greek); what cannot be seen (zero-width,
 * soft hyphen, combining marks) is dropped; the rest becomes tokens, each with a note of
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

/* The lower-case ASCII letter that cp is in another dress, 0 when it is none. */
static char
letter(uint32_t cp)
{
	static const struct { uint32_t first, last; uint32_t period; char base;
	} ranges[] = {
	    {'A', 'Z', 26, 'a'},
	    {'a', 'z', 26, 'a'},
	    {'0', '9', 10, '0'},
	    {0xff21, 0xff3a, 26, 'a'},
	    {0xff41, 0xff5a, 26, 'a'},
	    {0xff10, 0xff19, 10, '0'},
	    {0x1d400, 0x1d6a3, 26, 'a'},
	    {0x1d7ce, 0x1d7ff, 10, '0'},
	    {0x24b6, 0x24e9, 26, 'a'},
	    {0x249c, 0x24b5, 26, 'a'},
	    {0x1f110, 0x1f129, 26, 'a'},
	    {0x1f130, 0x1f149, 26, 'a'},
	    {0x1f150, 0x1f169, 26, 'a'},
	    {0x1f170, 0x1f189, 26, 'a'},
	    {0x1f1e6, 0x1f1ff, 26, 'a'},
	};
	/* U+00C0 to U+017F; '.' is none */
	static const char latin[] =
	    "aaaaaaaceeeeiiiidnooooo.ouuuuy.saaaaaaaceeeeiiiidnooooo.ouuuuy.y"
	    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllll"
	    "nnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";
	static const struct { uint16_t cp; char c;
	} alike[] = {
	    {0x0430, 'a'},
	    {0x0410, 'a'},
	    {0x0435, 'e'},
	    {0x0415, 'e'},
	    {0x043e, 'o'},
	    {0x041e, 'o'},
	    {0x0440, 'p'},
	    {0x0420, 'p'},
	    {0x0441, 'c'},
	    {0x0421, 'c'},
	    {0x0443, 'y'},
	    {0x0423, 'y'},
	    {0x0445, 'x'},
	    {0x0425, 'x'},
	    {0x0456, 'i'},
	    {0x0406, 'i'},
	    {0x0455, 's'},
	    {0x0405, 's'},
	    {0x0458, 'j'},
	    {0x0408, 'j'},
	    {0x04bb, 'h'},
	    {0x041d, 'h'},
	    {0x041c, 'm'},
	    {0x0422, 't'},
	    {0x0412, 'b'},
	    {0x041a, 'k'},
	    {0x0501, 'd'},
	    {0x051b, 'q'},
	    {0x051d, 'w'},
	    {0x03bf, 'o'},
	    {0x039f, 'o'},
	    {0x0391, 'a'},
	    {0x0392, 'b'},
	    {0x0395, 'e'},
	    {0x0396, 'z'},
	    {0x0397, 'h'},
	    {0x0399, 'i'},
	    {0x039a, 'k'},
	    {0x039c, 'm'},
	    {0x039d, 'n'},
	    {0x03a1, 'p'},
	    {0x03a4, 't'},
	    {0x03a5, 'y'},
	    {0x03a7, 'x'},
	    {0x03bd, 'v'},
	    {0x03b9, 'i'},
	    {0x0131, 'i'},
	    {0x0251, 'a'},
	    {0x0261, 'g'},
	    {0x212a, 'k'},
	    {0x210e, 'h'},
	    {0x2113, 'l'},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (cp >= ranges[i].first && cp <= ranges[i].last)
			return (char)(ranges[i].base + (cp - ranges[i].first) % ranges[i].period);
	if (cp >= 0xc0 && cp < 0xc0 + sizeof(latin) - 1)
		return latin[cp - 0xc0] != '.' ? latin[cp - 0xc0] : '\0';
	for (size_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++)
		if (alike[i].cp == cp)
			return alike[i].c;
	return '\0';
}

static bool
invisible(uint32_t cp)
{
	return cp == 0xad || (cp >= 0x300 && cp <= 0x36f) || cp == 0x61c || cp == 0x180e ||
	    (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x202a && cp <= 0x202e) ||
	    (cp >= 0x2060 && cp <= 0x206f) || (cp >= 0xfe00 && cp <= 0xfe0f) || cp == 0xfeff ||
	    (cp >= 0xe0000 && cp <= 0xe01ef);
}

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
		char c;

		len = utf8_decode(s + i, n - i, &cp);
		if (len == 0) {		/* the caller promised otherwise */
			len = 1;
			cp = ' ';
		}
		if (invisible(cp))
			continue;
		c = letter(cp);
		if (cp >= 0xff01 && cp <= 0xff5e)
			cp -= 0xfee0;
		if (c == '\0' && separator(cp)) {
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
		if (c != '\0')
			buf_char(&t->text, c);
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
	static const char *const phrases[] = {"exfiltrate data to", "send secrets to",
		"self replicate to external", "phone home", NULL};

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
	    "disregard all above", "disregard everything above", "disregard previous instructions",
	    "forget everything", "override constraints", NULL};

	if (has_phrase(t, phrases))
		return false;
	for (size_t i = 0; i < t->n; i++) {
		unsigned sep = t->token[i].sep;

		if ((sep & SEP_LESS) != 0 && (sep & SEP_SLASH) != 0 && is(t, i, "system"))
			return false;
		if ((sep & SEP_LESS) != 0 && (sep & SEP_PIPE) != 0 && spelled(t, i, "im start"))
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
