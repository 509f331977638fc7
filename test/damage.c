/*
 * damage: JSON text made wrong on purpose: damage SEED < good > bad.
 *
 * The input is one JSON object without escapes in its strings and without spaces. Each
 * way to damage it makes it wrong by construction (an odd number of quotes, a prefix,
 * a byte that UTF-8 does not have ...), so that no parser is asked whether it is; the
 * seed chooses the way (seed modulo their number) and the place. With -n SEED only the
 * name of the way is printed, with -c their number. -l leaves out what a line cannot
 * hold: raw newlines and being empty. Same seed, same bytes, everywhere.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"
#include "num.h"
#include "opt.h"

enum place { ANYWHERE, IN_STRING, VALUE, MEMBER, STRUCTURE, FRONT, END };

/* Put text at the place; replace: over the byte (or value) that is there. */
struct way {
	const char *name;
	enum place place;
	bool replace;
	bool whole;		/* not for lines */
	const char *text;
	size_t len;		/* 0: strlen */
};

static const struct way ways[] = {
	{"NUL byte", ANYWHERE, false, false, "\0", 1},
	{"NUL over a byte", ANYWHERE, true, false, "\0", 1},
	{"NUL escape", IN_STRING, false, false, "\\u0000", 0},
	{"UTF-8 overlong", IN_STRING, false, false, "\xc0\xaf", 0},
	{"UTF-8 surrogate", IN_STRING, false, false, "\xed\xa0\x80", 0},
	{"UTF-8 beyond U+10FFFF", IN_STRING, false, false, "\xf4\x90\x80\x80", 0},
	{"UTF-8 stray continuation", IN_STRING, false, false, "\x80", 0},
	{"UTF-8 cut short", IN_STRING, false, false, "\xe2\x82", 0},
	{"byte 0xff", ANYWHERE, false, false, "\xff", 0},
	{"control character in a string", IN_STRING, false, false, "\x01", 0},
	{"tab in a string", IN_STRING, false, false, "\t", 0},
	{"escape character in a string", IN_STRING, false, false, "\x1b[2J", 0},
	{"newline in a string", IN_STRING, false, true, "\n", 0},
	{"unknown escape", IN_STRING, false, false, "\\x41", 0},
	{"short escape", IN_STRING, false, false, "\\u12.", 0},
	{"lone high surrogate", IN_STRING, false, false, "\\ud83d.", 0},
	{"lone low surrogate", IN_STRING, false, false, "\\ude00", 0},
	{"quote too many", IN_STRING, false, false, "\"", 0},
	{"byte order mark", FRONT, false, false, "\xef\xbb\xbf", 0},
	{"UTF-16 byte order mark", FRONT, false, false, "\xff\xfe", 0},
	{"comment before", FRONT, false, false, "/* note */", 0},
	{"closing bracket before", FRONT, false, false, "}", 0},
	{"comment behind", END, false, false, "// note", 0},
	{"hash comment behind", END, false, false, "# note", 0},
	{"bytes behind", END, false, false, "x", 0},
	{"second value", END, false, false, "{}", 0},
	{"comma behind", END, false, false, ",", 0},
	{"comment inside", MEMBER, false, false, "/**/", 0},
	{"comma too many", MEMBER, false, false, ",", 0},
	{"single quotes", MEMBER, false, false, "'a':1,", 0},
	{"bare key", MEMBER, false, false, "a:1,", 0},
	{"number as key", MEMBER, false, false, "1:1,", 0},
	{"key without value", MEMBER, false, false, "\"a\",", 0},
	{"key and nothing", MEMBER, false, false, "\"a\":,", 0},
	{"no comma between members", MEMBER, false, false, "\"a\":1", 0},
	{"duplicate key", MEMBER, false, false, "\"a\":1,\"a\":1,", 0},
	{"duplicate key by escape", MEMBER, false, false, "\"a\":1,\"\\u0061\":2,", 0},
	{"NaN", VALUE, true, false, "NaN", 0},
	{"Infinity", VALUE, true, false, "-Infinity", 0},
	{"Python true", VALUE, true, false, "True", 0},
	{"undefined", VALUE, true, false, "undefined", 0},
	{"nul", VALUE, true, false, "nul", 0},
	{"leading zero", VALUE, true, false, "012", 0},
	{"plus sign", VALUE, true, false, "+1", 0},
	{"no digit before the point", VALUE, true, false, ".5", 0},
	{"no digit behind the point", VALUE, true, false, "1.", 0},
	{"exponent without digits", VALUE, true, false, "1e", 0},
	{"hexadecimal", VALUE, true, false, "0x10", 0},
	{"number beyond double", VALUE, true, false, "1e999", 0},
	{"two minus signs", VALUE, true, false, "--1", 0},
	{"comma before the end of a list", VALUE, true, false, "[1,]", 0},
	{"comma before the end of an object", VALUE, true, false, "{\"a\":1,}", 0},
	{"list closed as an object", VALUE, true, false, "[1}", 0},
	{"nothing", VALUE, true, false, "", 0},
	{"lost byte of structure", STRUCTURE, true, false, "", 0},
	{"other byte of structure", STRUCTURE, true, false, ";", 0},
	{"flipped bit of structure", STRUCTURE, true, false, NULL, 0},
};

enum { NWAYS = sizeof(ways) / sizeof(ways[0]), CUT = NWAYS, DEEP, DEEPER, EMPTY, ALL };

static uint64_t state;

/* splitmix64: the same numbers on every machine. */
static uint64_t
next(uint64_t below)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) % below;
}

/* Is the byte a place of that kind? */
static bool
fits(const struct buf *in, size_t i, bool string, enum place place)
{
	char c = in->p[i];

	switch (place) {
	case ANYWHERE:
		return true;
	case IN_STRING:
		return string && i > 0;
	case VALUE:
		return !string && i > 0 && in->p[i - 1] == ':';
	case MEMBER:	/* the quote that begins a key, or an item behind the first */
		return !string && c == '"' && i > 0 && (in->p[i - 1] == '{' || in->p[i - 1] == ',');
	case STRUCTURE:
		return c == '"' || (!string && (c == ':' || c == '{' || c == '}' || c == '[' || c == ']'));
	default:
		return false;
	}
}

/* How many such places there are; the position of number pick in *at. */
static size_t
find(const struct buf *in, enum place place, size_t pick, size_t *at)
{
	size_t found = 0;
	bool string = false;

	for (size_t i = 0; i < in->len; i++) {
		if (fits(in, i, string, place) && found++ == pick)
			*at = i;
		if (in->p[i] == '"')
			string = !string;
	}
	return found;
}

static size_t
choose(const struct buf *in, enum place place)
{
	size_t n, at = 0;

	if (place == FRONT || place == END)
		return place == FRONT ? 0 : in->len;
	n = find(in, place, SIZE_MAX, &at);
	if (n == 0)
		err_exit(VIV_USAGE, "the input has no such place");
	find(in, place, next(n), &at);
	return at;
}

/* Bytes of the value that begins at i. */
static size_t
value_length(const struct buf *in, size_t i)
{
	size_t n = 0;
	int depth = 0;
	bool string = false;

	for (; i + n < in->len; n++) {
		char c = in->p[i + n];

		if (c == '"')
			string = !string;
		if (string)
			continue;
		if (depth == 0 && (c == ',' || c == '}' || c == ']'))
			break;
		depth += (c == '{' || c == '[') - (c == '}' || c == ']');
	}
	return n;
}

static void
apply(const struct way *w, const struct buf *in, struct buf *out)
{
	size_t at = choose(in, w->place), skip = 0;
	char flipped[2] = {0};
	const char *text = w->text;

	if (w->replace)
		skip = w->place == VALUE ? value_length(in, at) : 1;
	if (text == NULL) {
		flipped[0] = (char)(in->p[at] ^ 0x80);
		text = flipped;
	}
	buf_add(out, in->p, at);
	buf_add(out, text, w->len > 0 ? w->len : strlen(text));
	buf_add(out, in->p + at + skip, in->len - at - skip);
}

static void
nest(const struct buf *in, size_t depth, struct buf *out)
{
	buf_str(out, "{\"deep\":");
	for (size_t i = 0; i < depth; i++)
		buf_char(out, '[');
	for (size_t i = 0; i < depth; i++)
		buf_char(out, ']');
	buf_char(out, ',');
	buf_add(out, in->p + 1, in->len - 1);
}

static void
damage(size_t kind, const struct buf *in, struct buf *out)
{
	if (kind < NWAYS)
		apply(&ways[kind], in, out);
	else if (kind == CUT)
		buf_add(out, in->p, 1 + next(in->len - 1));
	else if (kind == DEEP)
		nest(in, 32 + next(8), out);
	else if (kind == DEEPER)
		nest(in, 200000, out);
}

int
main(int argc, char **argv)
{
	static const char *const others[] = {"cut short", "too deep", "far too deep", "empty"};
	struct buf in = {0}, out = {0};
	bool lines = false, name = false;
	long long seed;
	size_t kind;
	ssize_t n;
	int c;

	opt_init(argc, argv, "damage [-ln] SEED  or  damage -c");
	while ((c = getopt(argc, argv, "cln")) != -1) {
		if (c == 'c')
			return printf("%d\n", ALL) < 0;
		lines = lines || c == 'l';
		name = name || c == 'n';
	}
	if (optind + 1 != argc || !num_int(argv[optind], 0, INT32_MAX, &seed))
		opt_usage(NULL);
	state = (uint64_t)seed;
	kind = (size_t)seed % ALL;
	if (lines && (kind == EMPTY || (kind < NWAYS && ways[kind].whole)))
		kind = CUT;
	if (name)
		return puts(kind < NWAYS ? ways[kind].name : others[kind - NWAYS]) < 0;
	do {
		buf_reserve(&in, 65536);
		n = read(STDIN_FILENO, in.p + in.len, 65536);
		in.len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	while (in.len > 0 && in.p[in.len - 1] == '\n')
		in.len--;
	if (in.len < 2)
		err_exit(VIV_USAGE, "the input is no object");
	damage(kind, &in, &out);
	kind = fwrite(out.p, 1, out.len, stdout) != out.len;
	buf_free(&in);
	buf_free(&out);
	return (int)kind;
}
