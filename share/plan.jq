# A model's answer (a string) as tasks for viv-add; $stem begins the ids that are needed.
# What cannot be understood is an error that says what is wrong with it.

# From the first $a to the last $b, when there are both.
def inner($a; $b):
	index($a) as $i | rindex($b) as $j | select($i != null and $j != null and $j > $i) | .[$i:$j + 1];

# The lists that the text may be meant as, the likelier first: itself, what is fenced in it,
# what stands between braces or brackets with prose around.
def lists:
	(., (match("```[A-Za-z]*\\s([\\s\\S]*?)```"; "g").captures[0].string), inner("{"; "}"), inner("["; "]"))
	| (try fromjson catch empty)
	| if type == "object" then .tasks // .plan // .subtasks else . end | arrays;

def prompt:
	if type == "string" then . elif type == "object" then .prompt // .task // .instruction // .description else null end
	| strings | select(test("\\S"));

def name: if type == "object" then .key // .id // empty else empty end | tostring;

def needs:
	if type == "object" then .depends_on // [] else [] end
	| if type == "array" then .[] else . end | tostring;

[lists] as $all
| ([$all[] | select(length > 0 and all(.[]; [prompt] != []))][0] // $all[0]) as $list
| if $list == null then error("it holds no list of tasks")
	elif $list == [] then error("its list of tasks is empty")
	elif ($list | length) > 50 then error("it names \($list | length) tasks, more than 50") else . end
| [$list[] | [name][0]] as $names
| ($names | map(values)) as $given
| if ($given | length) != ($given | unique | length) then error("two of its tasks have the same name") else . end
| [range($list | length) as $i
| ([$list[$i] | prompt][0] // error("its task \($i + 1) has no prompt")) as $text
| [$list[$i] | needs | . as $n | $names | index($n) // error("its task \($i + 1) waits for '\($n)', which it does not name")] as $on
| (if any($list[] | needs; . == $names[$i]) then {id: "\($stem)-\($i + 1)"} else {} end)
	+ {prompt: $text, mode: "llm", depends_on: ($on | unique | map("\($stem)-\(. + 1)"))}]
| .[]
