/*
 * price_test: the arithmetic of lib/price.c against exact sums.
 *	price_test MODELS.json VECTORS.json	"cost_estimate" of reference core-vectors.json
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "file.h"
#include "json.h"
#include "price.h"

static int failures;

static void
want(const char *what, int64_t got, int64_t expected)
{
	if (got == expected)
		return;
	printf("%s: %lld, not %lld\n", what, (long long)got, (long long)expected);
	failures++;
}

static void
arithmetic(const struct price_list *l)
{
	const struct price_model *m = price_find(l, "70b");
	char text[PRICE_TEXT];

	want("alias", m != NULL && strcmp(m->id, "llama-3.3-70b-versatile") == 0, 1);
	want("nothing costs nothing", price_cost(m, 0, 0, 0), 0);
	want("one token in: 0.59 rounds up", price_cost(m, 1, 0, 0), 1);
	want("one in, one out: 1.38 rounds up once", price_cost(m, 1, 0, 1), 2);
	want("a million each", price_cost(m, 1000000, 0, 1000000), 590000 + 790000);
	want("100 in, 100 out is 138 exactly", price_cost(m, 100, 0, 100), 138);
	want("cached at most input", price_cost(m, 100, 200, 100), 138);
	want("negative counts as none", price_cost(m, -5, -5, 100), 79);
	want("worst: bytes and template, and the answer", price_worst(m, 1000, 100),
	    (int64_t)ceil((1000 + PRICE_OVERHEAD) * 0.59 + 79));
	want("worst of a huge text stays finite", price_worst(m, (size_t)1 << 40, 1 << 30) > 0, 1);
	want("no model, no price", price_cost(NULL, 1, 0, 1), -1);
	want("0.1 is exact", price_parse(0.1), 100000);
	want("4.35 is exact", price_parse(4.35), 4350000);
	want("negative", price_parse(-0.1), -1);
	want("nan", price_parse(NAN), -1);
	want("too much", price_parse(1e10), -1);
	price_text(123, text);
	want("text", strcmp(text, "0.000123"), 0);
	price_text(-5000001, text);
	want("negative text", strcmp(text, "-5.000001"), 0);
}

static void
cached(void)
{
	static const char conf[] = "{\"models\":[{\"id\":\"a\",\"input\":1,\"cached_input\":0.5,"
	    "\"output\":2,\"aliases\":[\"x\"]},{\"id\":\"free\",\"input\":0,\"output\":0},"
	    "{\"id\":\"b\",\"input\":1}],\"allow_unpriced\":true}";
	struct price_list *l = mem_zero(1, sizeof(*l));
	cJSON *tree = json_parse(conf, sizeof(conf) - 1, NULL);

	want("added", price_add(l, tree, "test", NULL), 0);
	want("half is cached", price_cost(price_find(l, "x"), 100, 50, 10), 50 + 25 + 20);
	want("free is priced", price_cost(price_find(l, "free"), 9, 0, 9), 0);
	want("half a price is none", price_cost(price_find(l, "b"), 9, 0, 9), -1);
	want("unpriced may be called", l->allow_unpriced, 1);
	cJSON_Delete(tree);
	price_free(l);
}

static cJSON *
read_json(const char *file)
{
	struct buf text = {0};
	cJSON *tree;

	if (file_read(AT_FDCWD, file, 1 << 20, &text, NULL) != 0)
		exit(2);
	tree = json_parse(text.p, text.len, NULL);
	buf_free(&text);
	return tree;
}

/* The reference's estimate: three quarters of a token a character, and 500 for the
 * answer; where its prices are ours, our arithmetic on those tokens, four times as many
 * calls so that they are whole, gives four times its dollars, rounded up. */
static void
vectors(const struct price_list *l, const char *file)
{
	cJSON *tree = read_json(file);
	const cJSON *row;

	cJSON_ArrayForEach(row, json_arr(tree, "cost_estimate")) {
		const struct price_model *m = price_find(l, json_str(row, "model"));
		double usd = json_num(row, "usd", -1);

		if (strcmp(m->id, "llama-3.1-8b-instant") != 0)
			continue;	/* the reference took one dollar a million for the others */
		want(json_str(row, "model"), price_cost(m,
		    llround(3 * json_num(row, "prompt_len", 0)), 0, 2000),
		    (int64_t)ceil(4e6 * usd - 1e-6));
	}
	cJSON_Delete(tree);
}

int
main(int argc, char **argv)
{
	struct price_list *l = mem_zero(1, sizeof(*l));
	cJSON *models = argc == 3 ? read_json(argv[1]) : NULL;

	if (argc != 3 || price_add(l, models, argv[1], NULL) != 0)
		return 2;
	cJSON_Delete(models);
	arithmetic(l);
	cached();
	vectors(l, argv[2]);
	price_free(l);
	return failures > 0;
}
