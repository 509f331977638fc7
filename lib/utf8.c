/*
 * utf8: strict UTF-8 (RFC 3629), and text cut to code points or terminal columns.
 *
 * Column widths are those of a plain terminal: combining marks and zero-width
 * characters take none, East Asian wide ranges and emoji two, all else one.
 */
#include "utf8.h"

#include <string.h>

#include "buf.h"

size_t
utf8_decode(const char *s, size_t n, uint32_t *cp_out)
{
	const unsigned char *u = (const unsigned char *)s;
	uint32_t cp, min;
	size_t len;

	if (n == 0)
		return 0;
	if (u[0] < 0x80) {
		*cp_out = u[0];
		return 1;
	}
	if ((u[0] & 0xe0) == 0xc0) {
		cp = u[0] & 0x1f, len = 2, min = 0x80;
	} else if ((u[0] & 0xf0) == 0xe0) {
		cp = u[0] & 0x0f, len = 3, min = 0x800;
	} else if ((u[0] & 0xf8) == 0xf0) {
		cp = u[0] & 0x07, len = 4, min = 0x10000;
	} else {
		return 0;
	}
	if (n < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (u[i] & 0x3f);
	}
	if (cp < min || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	*cp_out = cp;
	return len;
}

size_t
utf8_invalid(const char *s, size_t n)
{
	size_t i = 0;
	uint32_t cp;

	while (i < n) {
		size_t len;

		if ((unsigned char)s[i] < 0x80) {
			i++;
			continue;
		}
		len = utf8_decode(s + i, n - i, &cp);
		if (len == 0)
			return i;
		i += len;
	}
	return n;
}

size_t
utf8_count(const char *s, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += ((unsigned char)s[i] & 0xc0) != 0x80;
	return count;
}

size_t
utf8_prefix(const char *s, size_t n, size_t max)
{
	size_t i = 0;

	for (; i < n; i++) {
		if (((unsigned char)s[i] & 0xc0) == 0x80)
			continue;
		if (max-- == 0)
			break;
	}
	return i;
}

bool
utf8_in(uint32_t cp, const struct utf8_range *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cp >= r[i].lo && cp <= r[i].hi)
			return true;
	return false;
}

static size_t
columns(uint32_t cp)
{
	static const struct utf8_range zero[] = {
		{0x300, 0x36f}, {0x483, 0x489}, {0x591, 0x5bd}, {0x610, 0x61a}, {0x64b, 0x65f},
		{0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064}, {0x20d0, 0x20ff},
		{0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef},
	};
	static const struct utf8_range wide[] = {
		{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0x33ff}, {0x3400, 0x4dbf},
		{0x4e00, 0x9fff}, {0xa000, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff},
		{0xfe30, 0xfe4f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1f64f},
		{0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
	};

	if (cp < 0x300)
		return 1;
	if (utf8_in(cp, zero, sizeof(zero) / sizeof(zero[0])))
		return 0;
	return utf8_in(cp, wide, sizeof(wide) / sizeof(wide[0])) ? 2 : 1;
}

size_t
utf8_prefix_cols(const char *s, size_t n, size_t max_cols, size_t *cols_out)
{
	size_t i = 0, cols = 0;

	while (i < n) {
		uint32_t cp = '?';
		size_t len = utf8_decode(s + i, n - i, &cp);
		size_t w = columns(cp);

		if (cols + w > max_cols)
			break;
		cols += w;
		i += len != 0 ? len : 1;
	}
	if (cols_out != NULL)
		*cols_out = cols;
	return i;
}

char *
utf8_end_cols(const char *s, size_t cols)
{
	size_t n = strlen(s), all, used = 0, at;

	utf8_prefix_cols(s, n, SIZE_MAX, &all);
	if (all <= cols)
		return mem_dup(s);
	at = utf8_prefix_cols(s, n, all - cols + 1, &used);
	if (used < all - cols + 1)	/* half of a wide one */
		at += utf8_prefix(s + at, n - at, 1);
	return mem_fmt("~%s", s + at);
}

size_t
utf8_printable(char *dst, size_t size, const char *s, size_t n)
{
	size_t i = 0, out = 0;

	if (size == 0)
		return 0;
	while (i < n) {
		uint32_t cp;
		size_t len = utf8_decode(s + i, n - i, &cp);

		if (len == 0 || cp < 0x20 || (cp >= 0x7f && cp < 0xa0) ||
		    (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069)) {
			if (out + 1 >= size)
				break;
			dst[out++] = '?';
			i += len != 0 ? len : 1;
			continue;
		}
		if (out + len >= size)
			break;
		memcpy(dst + out, s + i, len);
		out += len;
		i += len;
	}
	dst[out] = '\0';
	return out;
}

bool
utf8_word(uint32_t cp)
{
	/* beyond ASCII: all but what is known to be signs and blanks */
	static const struct {
		uint32_t first, last;
	} sign[] = {{0x80, 0xa9}, {0xab, 0xb1}, {0xb4, 0xb4}, {0xb6, 0xb8}, {0xbb, 0xbf},
	    {0xd7, 0xd7}, {0xf7, 0xf7}, {0x1680, 0x1680}, {0x2000, 0x206f}, {0x20a0, 0x20cf},
	    {0x2190, 0x245f}, {0x2500, 0x2bff}, {0x2e00, 0x2e7f}, {0x3000, 0x3004},
	    {0x3008, 0x3020}, {0xfe10, 0xfe1f}, {0xfe30, 0xfe6f}, {0xff00, 0xff0f},
	    {0xff1a, 0xff20}, {0xff3b, 0xff3e}, {0xff5b, 0xff65}, {0xffe0, 0xffff},
	    {0x1f000, 0x1faff}};

	if (cp < 0x80)
		return cp == '_' || (cp >= '0' && cp <= '9') ||
		    ((cp | 0x20) >= 'a' && (cp | 0x20) <= 'z');
	for (size_t i = 0; i < sizeof(sign) / sizeof(sign[0]); i++)
		if (cp >= sign[i].first && cp <= sign[i].last)
			return false;
	return true;
}

bool
utf8_blank(uint32_t cp)
{
	return cp == ' ' || (cp >= 9 && cp <= 13) || (cp >= 0x1c && cp <= 0x1f) || cp == 0x85 ||
	    cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 ||
	    cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

size_t
utf8_encode(char *dst, uint32_t cp)
{
	if (cp < 0x80) {
		dst[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		dst[0] = (char)(0xc0 | cp >> 6);
		dst[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		dst[0] = (char)(0xe0 | cp >> 12);
		dst[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		dst[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	dst[0] = (char)(0xf0 | cp >> 18);
	dst[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	dst[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	dst[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}
