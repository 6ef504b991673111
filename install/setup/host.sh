# host.sh: what this host looks like. Part of installpo. Nothing here changes anything.
# The parts of installpo share their variables.
# shellcheck shell=sh disable=SC2154

found_hostname() {
  found=$(hostname -f 2> /dev/null || hostname 2> /dev/null || cat /etc/hostname)
  case $found in
    *.*) ;;
    *) [ ! -s /etc/mailname ] || found=$(head -n 1 /etc/mailname) ;;
  esac
  printf '%s\n' "$found" | tr '[:upper:]' '[:lower:]'
}

# Users of this host who are people: the numbers of Debian's policy, and a shell to log in with.
# LOGIN:PASSWORD:UID:GID:GECOS:HOME:SHELL
unix_users() {
  getent passwd | awk -F: '$3 >= 1000 && $3 <= 59999 && $7 !~ /(nologin|false|sync)$/ && $1 ~ /^[A-Za-z0-9_][A-Za-z0-9._-]*$/'
}
is_unix_user() {
  unix_users | grep -q "^$1:"
}

has_systemd() { # runs here
  [ -d /run/systemd/system ]
}

# The other mail system's own word for the domains that it takes mail for, and for the host that all mail goes through.
found_domains() {
  {
    if command -v postconf > /dev/null 2>&1; then
      postconf -xh mydestination 2> /dev/null | tr -s ', ' '\n'
    elif [ -r /etc/exim4/update-exim4.conf.conf ]; then
      sed -n "s/^dc_other_hostnames='\(.*\)'/\1/p" /etc/exim4/update-exim4.conf.conf | tr -s ':; ' '\n'
    elif [ -r /etc/mail/local-host-names ]; then
      sed 's/#.*//' /etc/mail/local-host-names
    fi
  } | tr '[:upper:]' '[:lower:]' | grep -E '^([a-z0-9-]+\.)+[a-z0-9-]+$' | grep -v -e '^localhost\.' -e '\.localdomain$' | sort -u | tr '\n' ' ' |
    sed 's/ *$//'
}
found_relay() {
  if command -v postconf > /dev/null 2>&1; then
    postconf -h relayhost 2> /dev/null | sed -E 's/^\[([^]:]*[A-Za-z][^]:]*)\]/\1/' # [NAME] is "by address", as ours is
  elif [ -r /etc/exim4/update-exim4.conf.conf ]; then
    sed -n "s/^dc_smarthost='\(.*\)'/\1/p" /etc/exim4/update-exim4.conf.conf | sed 's/::/:/; s/;.*//'
  elif [ -r /etc/mail/sendmail.cf ]; then
    sed -n 's/^DS\(.*\)/\1/p' /etc/mail/sendmail.cf | head -n 1
  fi | tr -d ' '
}

# Who gets the mail of this host's root today: the person to be Postmaster.
found_postmaster() {
  found=$(alias_lines | awk -F '\t' '$1 == "root" { print $2 }' | head -n 1)
  case $found in
    '' | *[!A-Za-z0-9._+@-]*) unix_users | head -n 1 | cut -d: -f1 ;;
    *) printf '%s\n' "$found" ;;
  esac
}

# port_owner PORT: the program that listens there, as ss tells it; nothing if nobody does.
port_owner() {
  ss -Hltnp "sport = :$1" 2> /dev/null | sed -n 's/.*users:(("\([^"]*\)".*/\1/p' | head -n 1
}
port_taken() {
  [ -n "$(ss -Hltn "sport = :$1" 2> /dev/null)" ]
}

# Mail systems that start by themselves and have our ports.
mail_services="postfix exim4 sendmail opensmtpd citadel courier-mta courier-pop courier-pop-ssl popa3d cfingerd masqmail dma xmail esmtp"
installed_services() {
  for name in $mail_services; do
    if [ -e "/etc/init.d/$name" ] || [ -e "/lib/systemd/system/$name.service" ] || [ -e "/etc/systemd/system/$name.service" ]; then
      printf '%s\n' "$name"
    fi
  done
}

# Messages that the other mail system still has: a number.
other_queue() {
  if command -v postqueue > /dev/null 2>&1; then
    find /var/spool/postfix/deferred /var/spool/postfix/active /var/spool/postfix/incoming /var/spool/postfix/hold \
      /var/spool/postfix/maildrop -type f 2> /dev/null | wc -l
  elif command -v exim4 > /dev/null 2>&1; then
    find /var/spool/exim4/input -name '*-H' 2> /dev/null | wc -l
  elif [ -d /var/spool/mqueue ]; then
    find /var/spool/mqueue -name 'qf*' 2> /dev/null | wc -l
  else
    echo 0
  fi
}

# Lines of inetd.conf that are our services.
inetd_lines() {
  [ ! -f /etc/inetd.conf ] || grep -nE '^[[:space:]]*([^[:space:]#]*:)?(smtp|smtps|submission|submissions|pop3|pop-3|pop3s|finger)[[:space:]]' /etc/inetd.conf
}

is_nfs() { # is_nfs PATH: the place where it would be
  nfs_at=$1
  while [ ! -e "$nfs_at" ]; do nfs_at=$(dirname "$nfs_at"); done
  case $(stat -f -c %T "$nfs_at" 2> /dev/null) in nfs* | smb* | cifs | fuseblk | afs) return 0 ;; esac
  return 1
}
# is_kept PLACE: what an earlier installation left there, when it was removed and its data was to stay.
is_kept() {
  case $1 in
    "$spool_directory") [ -d "$1/directory" ] && [ -d "$1/secrets" ] ;;
    "$mailbox_directory") [ -d "$1/store" ] ;;
    "$log_directory") [ -e "$1/post.office.log" ] ;;
    *) return 1 ;;
  esac
}
is_empty() { # or not there
  [ ! -e "$1" ] || { [ -d "$1" ] && [ -z "$(ls -A "$1")" ]; }
}
