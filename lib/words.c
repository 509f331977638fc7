/*
 * words: from a command text to argv.
 *
 * The text is never given to a shell, so nothing in it can be expanded, redirected
 * or run in the background. What this module must prevent is the opposite mistake:
 * that a person (or the guard's log) reads a text as one thing and the kernel gets
 * another. Therefore it knows the three quotings of POSIX (backslash, '...', "...")
 * and refuses every unquoted character on which any common shell would act, instead
 * of passing it on as text: operators ; & | < > ( ), expansions $ ` { } and, where a
 * word begins, ~ # and !, globs * ? [, a leading NAME=value, a newline. Between double
 * quotes $ and ` are refused as well, because there they would not be text either.
 *
 * Two passes. The first walks all code points: bytes that are no UTF-8, control
 * characters but TAB and newline, and characters that reorder or hide what is
 * displayed are refused whatever the quoting. The second splits. Outside quotes it also
 * refuses what only looks like ASCII or like a blank (a full-width semicolon, a
 * no-break space); inside quotes such characters are ordinary text.
 *
 * Columns in messages count code points of the whole text, from 1.
 */
#include "words.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "utf8.h"

struct split {
	const char *s;
	size_t n, at;		/* bytes */
	struct buf word;
	bool in_word;		/* a word has begun, perhaps an empty one: '' */
	bool quoted;		/* some of it was quoted */
	char **argv;
	int argc, cap;
	struct err *e;
};

#define IN(cp, table) utf8_in(cp, table, sizeof(table) / sizeof(table[0]))

const char *
words_show(char out[WORDS_SHOW], const char *s)
{
	size_t n = strlen(s);
	size_t shown = utf8_printable(out, WORDS_SHOW - 3, s, n);

	if (shown < n)
		memcpy(out + shown, "...", 4);
	return out;
}

static size_t
column(const struct split *s)
{
	return utf8_count(s->s, s->at) + 1;
}

/* Control characters, and those that make the display differ from the content. */
static int
check_text(struct split *s)
{
	static const struct utf8_range control[] = {
		{0x00, 0x08}, {0x0b, 0x1f}, {0x7f, 0x9f},
	};
	static const struct utf8_range deceiving[] = {
		{0x061c, 0x061c}, {0x200e, 0x200f}, {0x202a, 0x202e}, {0x2066, 0x206f},
		{0xfff9, 0xfffb}, {0xe0000, 0xe007f},
	};

	if (s->n > WORDS_TEXT_MAX)
		return err_set(
		    s->e, VIV_REFUSED, "the command is longer than %d bytes", WORDS_TEXT_MAX);
	for (s->at = 0; s->at < s->n;) {
		uint32_t cp;
		size_t len = utf8_decode(s->s + s->at, s->n - s->at, &cp);

		if (len == 0)
			return err_set(s->e, VIV_REFUSED, "byte %zu is not valid UTF-8", s->at + 1);
		if (IN(cp, control))
			return err_set(s->e, VIV_REFUSED, "control character U+%04X at column %zu",
			    (unsigned)cp, column(s));
		if (IN(cp, deceiving))
			return err_set(s->e, VIV_REFUSED,
			    "U+%04X at column %zu hides or reorders what is displayed",
			    (unsigned)cp, column(s));
		s->at += len;
	}
	s->at = 0;
	return 0;
}

static void
begin(struct split *s)
{
	s->in_word = true;
	buf_add(&s->word, "", 0);
}

static void
end_word(struct split *s)
{
	if (!s->in_word)
		return;
	if (s->argc + 2 > s->cap) {
		s->cap = s->cap != 0 ? s->cap * 2 : 16;
		s->argv = mem_grow(s->argv, (size_t)s->cap, sizeof(*s->argv));
	}
	s->argv[s->argc++] = mem_ndup(s->word.p != NULL ? s->word.p : "", s->word.len);
	s->argv[s->argc] = NULL;
	buf_clear(&s->word);
	s->in_word = s->quoted = false;
}

static int
single_quotes(struct split *s)
{
	const char *from = s->s + s->at + 1;
	const char *end = memchr(from, '\'', s->n - s->at - 1);

	if (end == NULL)
		return err_set(s->e, VIV_REFUSED, "the ' at column %zu is never closed", column(s));
	buf_add(&s->word, from, (size_t)(end - from));
	s->at = (size_t)(end + 1 - s->s);
	return 0;
}

static int
double_quotes(struct split *s)
{
	size_t open = column(s);

	for (s->at++; s->at < s->n; s->at++) {
		char c = s->s[s->at];

		if (c == '"') {
			s->at++;
			return 0;
		}
		if (c == '$' || c == '`')
			return err_set(s->e, VIV_REFUSED,
			    "expansion '%c' at column %zu, which double quotes "
			    "do not stop: use single quotes to pass it as text",
			    c, column(s));
		if (c == '\\' && s->at + 1 < s->n && strchr("$`\"\\\n", s->s[s->at + 1]) != NULL) {
			c = s->s[++s->at];
			if (c == '\n')
				continue;
		}
		buf_char(&s->word, c);
	}
	return err_set(s->e, VIV_REFUSED, "the \" at column %zu is never closed", open);
}

static int
backslash(struct split *s)
{
	uint32_t cp;
	size_t len = utf8_decode(s->s + s->at + 1, s->n - s->at - 1, &cp);

	if (len == 0)
		return err_set(s->e, VIV_REFUSED, "the command ends with a backslash");
	if (cp == '\n')
		return err_set(
		    s->e, VIV_REFUSED, "newline at column %zu outside quotes", column(s) + 1);
	buf_add(&s->word, s->s + s->at + 1, len);
	s->at += 1 + len;
	return 0;
}

/* What an unquoted ASCII character would be to a shell, or NULL for plain text. */
static const char *
shell_sense(const struct split *s, char c)
{
	char next = s->at + 1 < s->n ? s->s[s->at + 1] : '\0';

	if (strchr(";&|<>()", c) != NULL)
		return "operator";
	if (strchr("$`{}", c) != NULL)
		return "expansion";
	if (strchr("*?[", c) != NULL)
		return "glob";
	if (s->in_word)
		return NULL;
	if (c == '~')
		return "home directory";
	if (c == '#')
		return "comment";
	/* alone it is find's negation, except where a shell has its own */
	if (c == '!' && (s->argc == 0 || strchr(" \t", next) == NULL))
		return "history or negation";
	return NULL;
}

/* Does the unquoted '=' at s->at end a NAME before the command? */
static bool
assignment(const struct split *s)
{
	const char *w = s->word.p;

	if (s->argc != 0 || !s->in_word || s->quoted || s->word.len == 0)
		return false;
	if (w[0] >= '0' && w[0] <= '9')
		return false;
	for (size_t i = 0; i < s->word.len; i++)
		if (!(w[i] == '_' || (w[i] >= '0' && w[i] <= '9') || (w[i] >= 'A' && w[i] <= 'Z') ||
		    (w[i] >= 'a' && w[i] <= 'z')))
			return false;
	return true;
}

/* Unquoted and not ASCII: fine unless it passes for something it is not. */
static int
foreign(struct split *s)
{
	static const struct utf8_range blanks[] = {
		{0x00a0, 0x00a0}, {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029},
		{0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
	};
	static const struct utf8_range hidden[] = {
		{0x00ad, 0x00ad}, {0x034f, 0x034f}, {0x115f, 0x1160}, {0x180e, 0x180e},
		{0x200b, 0x200d}, {0x2060, 0x2065}, {0x3164, 0x3164}, {0xfe00, 0xfe0f},
		{0xfeff, 0xfeff}, {0xffa0, 0xffa0},
	};
	static const struct utf8_range alike[] = {
		{0x01c0, 0x01c3}, {0x02c2, 0x02c3}, {0x037e, 0x037e}, {0x2010, 0x2015},
		{0x2018, 0x201f}, {0x2024, 0x2024}, {0x2032, 0x2036}, {0x2039, 0x203a},
		{0x2044, 0x2044}, {0x204e, 0x204f}, {0x2212, 0x2212}, {0x2215, 0x2217},
		{0x2223, 0x2223}, {0x223c, 0x223c}, {0xfe50, 0xfe6b}, {0xff01, 0xff5e},
	};
	uint32_t cp;
	size_t len = utf8_decode(s->s + s->at, s->n - s->at, &cp);
	const char *what = IN(cp, blanks) ? "is a blank that separates nothing" :
	    IN(cp, hidden) ? "cannot be seen" : IN(cp, alike) ? "only looks like ASCII" : NULL;

	if (what != NULL)
		return err_set(s->e, VIV_REFUSED,
		    "U+%04X at column %zu %s: quote it to pass it as text", (unsigned)cp, column(s),
		    what);
	begin(s);
	buf_add(&s->word, s->s + s->at, len);
	s->at += len;
	return 0;
}

static int
plain(struct split *s)
{
	char c = s->s[s->at];
	const char *sense;

	if ((unsigned char)c >= 0x80)
		return foreign(s);
	if (c == '\n')
		return err_set(
		    s->e, VIV_REFUSED, "newline at column %zu outside quotes", column(s));
	sense = shell_sense(s, c);
	if (sense != NULL)
		return err_set(s->e, VIV_REFUSED,
		    "%s '%c' at column %zu: there is no shell here, quote it "
		    "to pass it as text",
		    sense, c, column(s));
	if (c == '=' && assignment(s))
		return err_set(s->e, VIV_REFUSED,
		    "assignment '%.40s=' before the command: the environment "
		    "is fixed",
		    s->word.p);
	begin(s);
	buf_char(&s->word, c);
	s->at++;
	return 0;
}

static int
next(struct split *s)
{
	char c = s->s[s->at];

	if (c == ' ' || c == '\t') {
		end_word(s);
		s->at++;
		return 0;
	}
	if (c != '\'' && c != '"' && c != '\\')
		return plain(s);
	begin(s);
	s->quoted = true;
	return c == '\'' ? single_quotes(s) : c == '"' ? double_quotes(s) : backslash(s);
}

int
words_split(const char *text, char ***argv_out, int *argc_out, struct err *e)
{
	struct split s = {.s = text, .n = strlen(text), .e = e};
	int rc = check_text(&s);

	while (rc == 0 && s.at < s.n)
		rc = next(&s);
	if (rc == 0)
		end_word(&s);
	if (rc == 0 && s.argc == 0)
		rc = err_set(e, VIV_REFUSED, "the command is empty");
	buf_free(&s.word);
	if (rc != 0) {
		words_free(s.argv);
		return rc;
	}
	*argv_out = s.argv;
	*argc_out = s.argc;
	return 0;
}

void
words_free(char **argv)
{
	for (char **w = argv; w != NULL && *w != NULL; w++)
		free(*w);
	free(argv);
}
