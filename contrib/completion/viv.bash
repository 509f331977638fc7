# bash completion for viv and viv-*. Flags are read from the command's usage line when
# they are asked for, so there is nothing here to keep in step; words after them are
# ids of the board or file names.

# Print the flags in the usage of command $1: -x, --long, and every letter of [-abc].
_viv_flags() {
	local word letters i
	for word in $("$1" -h 2>/dev/null | tr '[]|' '   '); do
		case $word in
		--*) printf '%s\n' "${word%%=*}" ;;
		-[a-zA-Z0-9]*)
			letters=${word#-}
			for ((i = 0; i < ${#letters}; i++)); do
				printf -- '-%s\n' "${letters:i:1}"
			done ;;
		esac
	done
}

_viv_ids() {
	viv-status -J 2>/dev/null | jq -r '.tasks[]?.id // empty' 2>/dev/null
}

_viv() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} cmd=${COMP_WORDS[0]##*/}
	local at=1 words

	COMPREPLY=()
	if [[ $cmd = viv ]]; then
		if ((COMP_CWORD == 1)) || [[ $prev = help ]]; then
			mapfile -t COMPREPLY < <(compgen -W "help $(compgen -c viv- | sed 's/^viv-//' | sort -u)" -- "$cur")
			return
		fi
		cmd=viv-${COMP_WORDS[1]} at=2
	fi
	if [[ $prev = -C || $prev = --world ]]; then
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
	elif [[ $cur = -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_viv_flags "$cmd" | sort -u)" -- "$cur")
	elif ((COMP_CWORD >= at)); then
		case $cmd in
		viv-status | viv-release | viv-review | viv-share | viv-claim)
			words=$(_viv_ids) ;;
		esac
		mapfile -t COMPREPLY < <(compgen -W "${words-}" -- "$cur"; compgen -f -- "$cur")
	fi
}

complete -F _viv viv
for _viv_cmd in $(compgen -c viv- | sort -u); do
	complete -F _viv "$_viv_cmd"
done
unset _viv_cmd
