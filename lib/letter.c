/*
 * letter: the plain letter that a character is in another dress.
 *
 * What the compatibility forms of Unicode call the same letter or digit (full-width,
 * mathematical, circled, raised, accented, ligatures) and what looks like it (small
 * capitals, Cyrillic, Greek) becomes lower-case ASCII. Blocks in which nothing can be
 * computed are strings, one character a code point, '.' for those that are none.
 */
#include "letter.h"

#include <string.h>

static const struct {
	uint32_t first, last;
	uint32_t period;
	char base;
} ranges[] = {
    {'A', 'Z', 26, 'a'}, {'a', 'z', 26, 'a'}, {'0', '9', 10, '0'},
    {0xff21, 0xff3a, 26, 'a'}, {0xff41, 0xff5a, 26, 'a'}, {0xff10, 0xff19, 10, '0'},
    {0x1d400, 0x1d6a3, 26, 'a'}, {0x1d7ce, 0x1d7ff, 10, '0'}, {0x24b6, 0x24e9, 26, 'a'},
    {0x249c, 0x24b5, 26, 'a'}, {0x1f110, 0x1f129, 26, 'a'}, {0x1f130, 0x1f149, 26, 'a'},
    {0x1f150, 0x1f169, 26, 'a'}, {0x1f170, 0x1f189, 26, 'a'}, {0x1f1e6, 0x1f1ff, 26, 'a'}};

static const struct {
	uint32_t first;
	const char *letters;
} blocks[] = {
    {0x00c0,
	"aaaaaaaceeeeiiiidnooooo.ouuuuy.saaaaaaaceeeeiiiidnooooo.ouuuuy.yaaaaaacccccc"
	"ccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllllnnnnnnnnnoooooooorrrr"
	"rrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs"},
    {0x01a0,
	"oo.............uu"},
    {0x01cd,
	"aaiioouuuuuuuuuu.aaaa....ggkkoooo..j...gg..nnaa....aaaaeeeeiiiioooorrrruuuus"
	"stt..hh......aaeeooooooooyy"},
    {0x0250,
	".a...............gg.......i.........n...........r..............y.........b.."
	"h..l................h.jr...wy"},
    {0x1d00,
	"a...cd.e..jk.m.o........p..tu...vwz.........a.b.de.ghijklmn.o.prtuwa...bde.."
	".g.km.o...ptu..v......iruv....."},
    {0x1e00,
	"aabbbbbbccddddddddddeeeeeeeeeeffgghhhhhhhhhhiiiikkkkkkllllllllmmmmmmnnnnnnnn"
	"oooooooopppprrrrrrrrssssssssssttttttttuuuuuuuuuuvvvvwwwwwwwwwwxxxxyyzzzzzzht"
	"wy.s....aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeeeiiiioooooooooooooooooooooooo"
	"uuuuuuuuuuuuuuyyyyyyyy"},
    {0x2070,
	"0i..456789.....n0123456789......aeox.hklmnpst"},
    {0x2102,
	"c.......ghhhh.iill.n...pqrrr......z...z.kabc.eef.mo....i...........ddeij"},
    {0x2160,
	"i...v....x..lcdmi...v....x..lcdm"},
    {0xa730,
	"fs"}};

static const struct {
	uint16_t cp;
	char c;
} alike[] = {
    {0x0430, 'a'}, {0x0410, 'a'}, {0x0435, 'e'}, {0x0415, 'e'}, {0x043e, 'o'},
    {0x041e, 'o'}, {0x0440, 'p'}, {0x0420, 'p'}, {0x0441, 'c'}, {0x0421, 'c'},
    {0x0443, 'y'}, {0x0423, 'y'}, {0x0445, 'x'}, {0x0425, 'x'}, {0x0456, 'i'},
    {0x0406, 'i'}, {0x0455, 's'}, {0x0405, 's'}, {0x0458, 'j'}, {0x0408, 'j'},
    {0x04bb, 'h'}, {0x041d, 'h'}, {0x041c, 'm'}, {0x0422, 't'}, {0x0412, 'b'},
    {0x041a, 'k'}, {0x0501, 'd'}, {0x051b, 'q'}, {0x051d, 'w'}, {0x03bf, 'o'},
    {0x039f, 'o'}, {0x0391, 'a'}, {0x0392, 'b'}, {0x0395, 'e'}, {0x0396, 'z'},
    {0x0397, 'h'}, {0x0399, 'i'}, {0x039a, 'k'}, {0x039c, 'm'}, {0x039d, 'n'},
    {0x03a1, 'p'}, {0x03a4, 't'}, {0x03a5, 'y'}, {0x03a7, 'x'}, {0x03bd, 'v'},
    {0x03b9, 'i'}, {0x0131, 'i'}, {0x0251, 'a'}, {0x0261, 'g'}, {0x212a, 'k'},
    {0x210e, 'h'}, {0x2113, 'l'}};

static const char *const ligatures[] = {"ff", "fi", "fl", "ffi", "ffl", "st", "st"};
enum { LIGATURES = 0xfb00 };

static char
one(uint32_t cp)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (cp >= ranges[i].first && cp <= ranges[i].last)
			return (char)(ranges[i].base + (cp - ranges[i].first) % ranges[i].period);
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		if (cp >= blocks[i].first && cp - blocks[i].first < strlen(blocks[i].letters) &&
		    blocks[i].letters[cp - blocks[i].first] != '.')
			return blocks[i].letters[cp - blocks[i].first];
	for (size_t i = 0; i < sizeof(alike) / sizeof(alike[0]); i++)
		if (alike[i].cp == cp)
			return alike[i].c;
	return '\0';
}

size_t
letter_plain(uint32_t cp, char out[LETTER_MAX])
{
	size_t n;

	if (cp >= LIGATURES && cp - LIGATURES < sizeof(ligatures) / sizeof(ligatures[0])) {
		n = strlen(ligatures[cp - LIGATURES]);
		memcpy(out, ligatures[cp - LIGATURES], n);
		return n;
	}
	out[0] = one(cp);
	return out[0] != '\0';
}

bool
letter_invisible(uint32_t cp)
{
	static const struct {
		uint32_t first, last;
	} none[] = {
	    {0xad, 0xad}, {0x300, 0x36f}, {0x61c, 0x61c}, {0x115f, 0x1160}, {0x17b4, 0x17b5},
	    {0x180b, 0x180f}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f},
	    {0x202a, 0x202e}, {0x2060, 0x206f}, {0x20d0, 0x20ff}, {0x3164, 0x3164},
	    {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0},
	    {0xfff0, 0xfffb}, {0xe0000, 0xe01ef}};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (cp >= none[i].first && cp <= none[i].last)
			return true;
	return false;
}
