# answers.sh: what is asked, and the answers. Part of installpo.
# Uses: given (lines NAME=VALUE), unattended, answers_file. Sets: answers, and `answer` by each question.
# The parts of installpo share their variables.
# shellcheck shell=sh disable=SC2154,SC2034

# value_in NAME TEXT: the last line NAME=VALUE of the text, without the name; fails if there is none.
value_in() {
  value_line=$(printf '%s\n' "$2" | grep "^$1=" | tail -n 1) || return 1
  [ -n "$value_line" ] || return 1
  printf '%s\n' "${value_line#*=}"
}

answers=''
read_answers() {
  [ ! -f "$answers_file" ] || answers=$(grep -v '^#' "$answers_file")
}

# remember NAME VALUE: at once, so that the next run begins with it.
remember() {
  answers=$(printf '%s\n' "$answers" | grep -v -e "^$1=" -e '^$')
  answers="$answers
$1=$2"
  (
    umask 077
    { printf '# What installpo and Setup were answered. Setup changes it.\n' && printf '%s\n' "$answers" | grep -v '^$'; } > "$answers_file.new"
  ) || die "$answers_file.new cannot be written"
  mv "$answers_file.new" "$answers_file"
}

# known NAME DEFAULT: what is the answer if nobody says otherwise.
known() {
  value_in "$1" "$given" || value_in "$1" "$answers" || printf '%s\n' "$2"
}

# ask NAME DEFAULT CHECK QUESTION EXPLANATION: CHECK looks at `answer` and prints what is wrong with it.
ask() {
  if [ "${listing-}" = yes ]; then
    printf '%s\n    %s\n' "$1" "$5" | fold -s -w 100
    answer=$2
    return
  fi
  answer=$(known "$1" "$2")
  if [ -n "$unattended" ]; then
    ask_wrong=$("$3") || die "$1: $ask_wrong (--set $1=...)"
    remember "$1" "$answer"
    return
  fi
  ask_default=$answer
  printf '\n%s\n' "$5" | fold -s -w 100
  while :; do
    printf '%s [%s] ' "$4" "$ask_default"
    read -r answer || quit
    case $answer in
      quit) quit ;;
      '') answer=$ask_default ;;
      none) answer='' ;;
    esac
    ask_wrong=$("$3") && break
    printf '%s\n' "$ask_wrong"
  done
  remember "$1" "$answer"
}

quit() {
  printf '\nQuit. Nothing was changed; the answers up to here are kept for the next run.\n'
  exit 3
}

# ---- what an answer may be: each prints what is wrong and fails ------------------------------------------------------------

wrong() {
  printf '%s\n' "$*"
  return 1
}
is_yes_no() {
  case $answer in yes | no) ;; *) wrong "yes or no, please" ;; esac
}
is_domain() {
  printf '%s\n' "$answer" | grep -Eqi '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$' ||
    wrong "a name with at least one dot, of letters, digits and hyphens, as mail.example.org"
}
is_domain_or_nothing() {
  [ -z "$answer" ] || is_domain
}
is_domain_list() {
  is_list=$answer
  for answer in $is_list; do is_domain || return 1; done
  answer=$is_list
}
is_relay() {
  case $answer in *[!A-Za-z0-9.:_[\]-]*) wrong "a host, as relay.example.net or [192.0.2.1]:587, or none" ;; esac
}
is_path() {
  case $answer in
    /*[!A-Za-z0-9._/+-]* | */../* | */.. | *//* | */) wrong "a path of letters, digits and ._+-" ;;
    /*/*) ;;
    *) wrong "a path from the root, with at least two names" ;;
  esac
}
is_system_name() {
  printf '%s\n' "$answer" | grep -Eq '^[a-z_][a-z0-9_-]{0,30}$' || wrong "a name as useradd takes it"
}
is_suite_user() {
  is_system_name || return 1
  [ "$answer" != root ] || wrong "the suite gives up root; a user of its own, please"
}
is_suite_group() {
  is_system_name || return 1
  case $answer in
    mail | root | adm | staff | users | sudo)
      wrong "members of this group could read everybody's mail: a group of its own, please"
      return 1
      ;;
  esac
  is_members=$(getent group "$answer" | cut -d: -f4)
  [ -z "$is_members" ] || wrong "this group has members ($is_members), who could read everybody's mail: another, please"
}
is_port() {
  case $answer in
    '' | *[!0-9]* | ??????*) wrong "a port, 1 to 65535" ;;
    *) if [ "$answer" -lt 1 ] || [ "$answer" -gt 65535 ]; then wrong "a port, 1 to 65535"; fi ;;
  esac
}
is_address_or_nothing() {
  [ -z "$answer" ] || printf '%s\n' "$answer" | grep -Eq '^[A-Za-z0-9._+-]+(@[A-Za-z0-9.-]+)?$' ||
    wrong "a user of this host or a mail address, or none"
}
is_readable_or_nothing() {
  [ -z "$answer" ] || { [ -f "$answer" ] && [ -s "$answer" ]; } || wrong "there is no such file, or nothing in it"
}
