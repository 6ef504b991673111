# accounts.sh: the database: domains, the Postmaster, accounts for the users of this host, aliases. Part of installpo.
# What comes from users' files is hostile: it is read as the user, so much and no more, and goes into forms escaped.
# The parts of installpo share their variables.
# shellcheck shell=sh disable=SC2154

account_summary=''
tell() {
  account_summary="$account_summary
  $*"
}

fill_the_database() {
  set_domains
  set_postmaster
  office form set greeting "Send-Greeting=$greeting" > /dev/null || die "the form Greeting cannot be set"
  if [ "$unix_accounts" = yes ]; then add_unix_users; fi
  add_aliases
}

# ---- domains ---------------------------------------------------------------------------------------------------------------

# All domains that an account is made in; the first is that of its first address.
domains() {
  if [ "$domain_mail" = yes ]; then printf '%s\n' "$domain"; fi
  for name in $hostname $more_domains; do printf '%s\n' "$name"; done
}
set_domains() {
  completion=$(domains | head -n 1)
  for name in $(domains | sort -u); do
    if [ "$name" = "$domain" ] && [ "$domain_here" = no ]; then continue; fi
    [ "$name" = "$hostname" ] || is_domain_here "$name" || office domain add "$name" > /dev/null || die "the domain $name cannot be added"
  done
  office form set mail-routing "Address-Completion-Domain=$completion" > /dev/null || die "the form Mail Routing cannot be set"
  if [ -n "$relay" ] && [ "$relay" != "$(value_in relay-was "$answers")" ]; then
    office route add "*:$relay" > /dev/null || die "mail cannot be routed through $relay"
    remember relay-was "$relay"
    tell "outgoing mail goes through $relay; post.office relay-password gives it a password"
  fi
}
is_domain_here() {
  office domain list "$1" | grep -qx -- "$1"
}

# ---- the Postmaster ----------------------------------------------------------------------------------------------------------

set_postmaster() {
  if [ -n "$password_file" ] || [ "$(value_in postmaster-password "$answers")" != set ]; then
    if [ -z "$password_file" ]; then
      (umask 077 && openssl rand -base64 12 > /etc/post.office.password) || die "/etc/post.office.password cannot be written"
      note_change "file /etc/post.office.password"
    fi
    head -n 1 "${password_file:-/etc/post.office.password}" | office account passwd postmaster > /dev/null ||
      die "the Postmaster's password is refused; give another with --set postmaster-password-file=FILE"
    remember postmaster-password set
  fi
  if [ -n "$postmaster" ]; then
    office account set postmaster "Forwarding-Addresses=$(full_address "$postmaster")" > /dev/null ||
      later "the Postmaster's mail cannot go to $postmaster: account set postmaster Forwarding-Addresses=..."
    tell "the Postmaster's mail goes to $(full_address "$postmaster")"
  fi
}
full_address() {
  case $1 in
    *@*) printf '%s\n' "$1" ;;
    *) printf '%s@%s\n' "$1" "$(domains | head -n 1)" ;;
  esac
}

# ---- users -------------------------------------------------------------------------------------------------------------------

# read_as UID GID FILE OCTETS: what a user's file says, as that user may read it: a link to somebody else's file, or a pipe
# that nobody writes to, gives nothing.
read_as() {
  timeout 5 setpriv --reuid="$1" --regid="$2" --clear-groups head -c "$4" -- "$3" 2> /dev/null < /dev/null
}
plain_lines() {
  iconv -c -f UTF-8 -t UTF-8 | tr -d '\000-\010\013-\037\177' | tr '\t' ' ' | cut -c 1-255
}
# Each line as a value between brackets: see forms(5), "escapes".
in_brackets() {
  sed -E 's/\\x([0-9A-Fa-f]{2})/\\x5cx\1/g; s/]/]]/g; s/^(.*)$/[\1]/'
}

finger_information() { # UID GID HOME
  project=$(read_as "$1" "$2" "$3/.project" 1000 | plain_lines | head -n 1)
  plan=$(read_as "$1" "$2" "$3/.plan" 20000 | plain_lines | head -n 80)
  [ -z "$project" ] || printf 'Project: %s\n' "$project"
  [ -z "$plan" ] || printf 'Plan:\n%s\n' "$plan"
}

# forward_targets UID GID HOME LOGIN: a line each: address ADDRESS, keep, or left WHAT.
forward_targets() {
  read_as "$1" "$2" "$3/.forward" 20000 | plain_lines | sed 's/^[[:space:]]*#.*//' | tr ',' '\n' | targets "$4"
}
# targets LOGIN: what stands in a .forward or behind an alias, one a line.
targets() {
  sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//' -e '/^$/d' | while read -r target; do
    case $target in
      "\\$1" | "$1" | "\\$1@$hostname" | "$1@$hostname") echo keep ;;
      \|* | \"* | /* | :* | \\*) printf 'left %s\n' "$target" ;;
      *[!A-Za-z0-9._+@=%-]*) printf 'left %s\n' "$target" ;;
      *) printf 'address %s\n' "$(full_address "$target")" ;;
    esac
  done
}

known_logins() {
  office export | sed -n 's/^POP-Login-Name:[[:space:]]*\[\(.*\)\].*/\1/p'
}

user_form() { # LOGIN UID GID GECOS HOME
  name=$(printf '%s' "$4" | cut -d, -f1)
  printf "User's-Real-Name: %s\n" "$(printf '%s\n' "${name:-$1}" | plain_lines | in_brackets)"
  domains | awk '!seen[$0]++' | sed "s/.*/Internet-Addresses: [$1@&]/" | sed '2,$s/^[^[]*/  /'
  printf 'POP-Login-Name: [%s]\n' "$1"
  hash=$(getent shadow "$1" | cut -d: -f2)
  case $unix_passwords:$hash in
    yes:\$*) printf 'Mail-Account-Password: [{crypt}%s]\n' "$hash" ;;
    *) printf '%s\n' "$1" >> "$work/no-password" ;;
  esac
  user_delivery "$@"
  information=$(finger_information "$2" "$3" "$5")
  [ -z "$information" ] || printf '%s\n' "$information" | head -n 100 | in_brackets | sed -e '1s/^/Finger-Information: /' -e '2,$s/^/  /'
}
user_delivery() { # LOGIN UID GID GECOS HOME
  : > "$work/forward"
  [ "$forward_files" = no ] || forward_targets "$2" "$3" "$5" "$1" > "$work/forward"
  sed -n "s/^left /$1: /p" "$work/forward" >> "$work/left"
  sed -n 's/^address \(.*\)/[\1]/p' "$work/forward" | sed -e '1s/^/Forwarding-Addresses: /' -e '2,$s/^/  /'
  local=yes
  if grep -q '^address ' "$work/forward" && ! grep -q '^keep$' "$work/forward"; then local=no; fi
  if [ "$unix_delivery" = yes ]; then
    printf 'POP3-Delivery: [no]\nUNIX-Delivery: [%s]\nUNIX-Login-Name: [%s]\n' "$local" "$1"
  else
    printf 'POP3-Delivery: [%s]\n' "$local"
  fi
}

add_unix_users() {
  work=$(mktemp -d) || die "no temporary directory can be made"
  : > "$work/no-password"
  : > "$work/left"
  known_logins > "$work/known"
  unix_users | while IFS=: read -r login _ uid gid gecos home _; do
    grep -qxF -- "$login" "$work/known" || user_form "$login" "$uid" "$gid" "$gecos" "$home"
  done > "$work/forms"
  if [ -s "$work/forms" ]; then
    if ! office account add --keep-going < "$work/forms" > "$work/added" 2> "$work/refused"; then
      later "some users could not be given an account:
$(sed 's/^/      /' "$work/refused" | head -n 40)"
    fi
    tell "$(sed '2,$s/^/  /' "$work/added")"
  fi
  [ ! -s "$work/no-password" ] ||
    later "these accounts have no password (post.office account passwd LOGIN): $(tr '\n' ' ' < "$work/no-password")"
  [ ! -s "$work/left" ] || later "what .forward files say and cannot be brought along:
$(sed 's/^/      /' "$work/left")"
  rm -rf "$work"
}

# ---- aliases -----------------------------------------------------------------------------------------------------------------

# NAME <tab> TARGET,TARGET of /etc/aliases, continued lines joined.
alias_lines() {
  [ -r /etc/aliases ] || return 0
  awk '
    /^[[:space:]]*#/ || /^[[:space:]]*$/ { next }
    /^[[:space:]]/ { line = line $0; next }
    { put(); line = $0 }
    END { put() }
    function put(   colon, name, value) {
      colon = index(line, ":")
      if (colon < 2) return
      name = tolower(substr(line, 1, colon - 1))
      value = substr(line, colon + 1)
      gsub(/[[:space:]"]/, "", name)
      gsub(/^[[:space:]]+|[[:space:]]+$/, "", value)
      printf "%s\t%s\n", name, value
      line = ""
    }' /etc/aliases
}

# Addresses that every domain has to have (RFC 2142), and root, whom programs of this host write to.
standard_names="root abuse hostmaster webmaster mailer-daemon"

add_aliases() {
  work=$(mktemp -d) || die "no temporary directory can be made"
  : > "$work/left"
  known_names > "$work/names"
  [ "$import_aliases" = no ] || alias_lines | while IFS="$(printf '\t')" read -r name value; do add_alias "$name" "$value"; done
  for name in $standard_names; do
    is_known "$name" || alias_to "$name" "postmaster@$hostname"
  done
  [ ! -s "$work/left" ] || later "aliases that cannot be brought along:
$(sed 's/^/      /' "$work/left")"
  rm -rf "$work"
}
# Local parts that are accounts' or aliases' already.
known_names() {
  {
    office alias list | sed -n 's/^<\([^@>]*\)@.*/\1/p'
    office export | awk '/^[^ ]*:/ { here = /^Internet-Addresses:/ } here' | sed -n 's/.*\[\([^]@]*\)@.*/\1/p'
  } | tr '[:upper:]' '[:lower:]'
}
is_known() {
  grep -qxF -- "$1" "$work/names"
}
add_alias() { # NAME VALUE
  case $1 in
    postmaster) return ;;
    *[!a-z0-9._+-]*) printf '%s: a name of other characters\n' "$1" >> "$work/left" && return ;;
  esac
  printf '%s\n' "$2" | tr ',' '\n' | targets "$1" > "$work/targets"
  sed -n "s/^left /$1: /p" "$work/targets" >> "$work/left"
  sed -n 's/^address //p' "$work/targets" > "$work/addresses"
  case $(grep -c . "$work/addresses") in
    0) ;;
    1) is_known "$1" || alias_to "$1" "$(cat "$work/addresses")" ;;
    *) is_known "$1" || forwarding_account "$1" ;;
  esac
}
alias_to() { # NAME ADDRESS
  printf '%s\n' "$1" >> "$work/names"
  for name_domain in $(domains | sort -u); do
    office alias add "$1@$name_domain" "$2" > /dev/null 2> "$work/error" || printf '%s: %s\n' "$1" "$(cat "$work/error")" >> "$work/left"
  done
}
forwarding_account() { # NAME
  printf '%s\n' "$1" >> "$work/names"
  {
    printf "User's-Real-Name: [%s]\n" "$1"
    domains | awk '!seen[$0]++' | sed "s/.*/Internet-Addresses: [$1@&]/" | sed '2,$s/^[^[]*/  /'
    echo 'POP3-Delivery: [no]'
    sed 's/.*/[&]/' "$work/addresses" | sed -e '1s/^/Forwarding-Addresses: /' -e '2,$s/^/  /'
  } | office account add > /dev/null 2> "$work/error" || printf '%s: %s\n' "$1" "$(cat "$work/error")" >> "$work/left"
}
