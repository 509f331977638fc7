/*
 * viv-doctor: looks whether a world is whole, and puts right what can be.
 *
 * The checks (lib/heal*.c) run in the order in which they build on each other:
 * directories, then the log, the board, the slots. A world may be badly broken: all
 * that is needed to begin is its directory world/mutable. Safe beside running
 * residents; what looks wrong only for a moment is looked at twice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heal.h"
#include "json.h"
#include "opt.h"
#include "world.h"

#define USAGE "viv-doctor [-hJqrv] [-C WORLD]"

struct output {
	bool json, quiet;
};

/* Text of a message as one field: its line breaks and control bytes shown as '?'. */
static void
put_field(const char *s, const char *end)
{
	for (; *s != '\0'; s++)
		putchar((unsigned char)*s < ' ' || *s == 127 ? '?' : *s);
	fputs(end, stdout);
}

static void
say(enum heal_severity s, const char *what, const char *where, const char *advice, void *arg)
{
	static const char *const name[] = {"note", "repair", "error"};
	const struct output *o = arg;
	cJSON *v;

	if (o->quiet && s == HEAL_NOTE)
		return;
	if (!o->json) {
		put_field(name[s], " ");
		put_field(what, ": ");
		put_field(where, ": ");
		put_field(advice, "\n");
		return;
	}
	v = json_new();
	json_set_str(v, "severity", name[s]);
	json_set_str(v, "what", what);
	json_set_str(v, "where", where);
	json_set_str(v, "advice", advice);
	json_puts(v);
	cJSON_Delete(v);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'J'}, {"quiet", no_argument, NULL, 'q'},
		{"repair", no_argument, NULL, 'r'}, {"verbose", no_argument, NULL, 'v'}, {0}};
	struct output o = {false, false};
	struct heal h = {.say = say, .arg = &o};
	struct err e = {0};
	struct world w;
	int c;

	opt_init(argc, argv, USAGE);
	while ((c = opt_next(argc, argv, "Jqrv", longs)) != -1) {
		o.json |= c == 'J';
		o.quiet |= c == 'q';
		h.repair |= c == 'r';
		h.verbose |= c == 'v';
	}
	if (optind < argc)
		opt_usage("unexpected argument '%s'", argv[optind]);
	if (world_open(&w, opt_world, &e) != 0)
		err_die(&e);
	h.w = &w;
	heal_dirs(&h);
	heal_settings(&h);
	heal_money(&h);
	heal_temp(&h);
	heal_log(&h);
	heal_board(&h);
	heal_slots(&h);
	heal_results(&h);
	heal_shares(&h);
	heal_unknown(&h);
	heal_free(&h);
	world_close(&w);
	return opt_end(h.errors > 0 ? VIV_CONFIG : h.open > 0 ? VIV_NO : 0);
}
