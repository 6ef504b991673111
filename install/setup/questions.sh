# questions.sh: the questions in their order, and what has to be said before anything is changed. Part of installpo.
# Each question sets the variable of its answer.
# The parts of installpo share their variables.
# shellcheck shell=sh disable=SC2154,SC2034

ask_everything() {
  [ -n "$unattended" ] || [ "${listing-}" = yes ] || say "Post.Office asks some questions. The answer in brackets is taken by the Enter key; \"none\" empties it,
and \"quit\" ends without a change. The next run begins with the answers given so far."
  ask_names
  ask_places
  ask_people
  ask_others
}

ask_names() {
  ask hostname "$(found_hostname)" is_domain "Name of this host?" \
    "The full name of this host, under which the rest of the world finds it. It stands in greetings and in every trace line, and mail for NAME@host is taken."
  hostname=$answer
  ask domain "$(printf '%s\n' "$hostname" | sed 's/^[^.]*\.\(.*\..*\)$/\1/')" is_domain "Domain?" \
    "The domain of your organisation. For a host emile.math.ucsb.edu it would be math.ucsb.edu."
  domain=$answer
  ask domain-mail no is_yes_no "Receive mail for the domain as well as for the host?" \
    "With yes, mail for NAME@$domain is taken here too, and the accounts that are made now have that as their first address, which is the one that others see. With no, they have NAME@$hostname alone."
  domain_mail=$answer
  domain_here=no
  if [ "$domain_mail" = yes ]; then
    ask domain-here yes is_yes_no "Are all accounts of the domain on this host?" \
      "With yes, the domain's MX record has to name this host, and mail for a NAME@$domain that is not here is refused. With no, it is sent on to the hosts that the MX records name: hubs, which know every account."
    domain_here=$answer
  fi
  ask more-domains "$(found_domains)" is_domain_list "Further domains?" \
    "Other domains whose mail is taken here, with blanks between them; those that the mail system of this host takes mail for are given. Every account that is made now has an address in each."
  more_domains=$answer
  ask relay "$(found_relay)" is_relay "Host for all outgoing mail?" \
    "If your mail has to leave through another host (a provider's, say), its name, with :PORT if that is not 25. With none it goes to each recipient's own host, as DNS says."
  relay=$answer
}

ask_places() {
  ask program-directory /usr/local/post.office is_path "Directory of the programs?" \
    "The programs, root's own. A directory that is empty or not there yet, on a local disk; another disk than that of the spool is better."
  program_directory=$answer
  ask spool-directory /var/spool/post.office is_path "Spooling directory?" \
    "All settings and the account database. Back it up. Empty or not there yet, on a local disk, never NFS."
  spool_directory=$answer
  ask mailbox-directory /var/spool/mailbox is_path "Mailbox directory?" \
    "The mail: of users who fetch it by POP3, and what waits to go out. Back it up. Empty or not there yet, on a local disk with much room, never NFS."
  mailbox_directory=$answer
  ask log-directory /var/log/post.office is_path "Directory of the log?" \
    "The log files, which the suite rotates and removes by itself."
  log_directory=$answer
  ask user mta is_suite_user "User?" \
    "The user that all programs run as. It is made if it is not there, and needs no right of any kind."
  suite_user=$answer
  ask group mta is_suite_group "Group?" \
    "Its group, made if it is not there. It must have no members, because they could read everybody's mail; so not the group mail."
  suite_group=$answer
  ask web-port 443 is_port "Port of the web pages?" \
    "Users and Postmaster see to accounts and settings with a web browser, by HTTPS at this port. If this host has a web server already, take another, 81 for one."
  web_port=$answer
}

ask_people() {
  ask unix-delivery yes is_yes_no "Deliver into the mail drops of this host's users?" \
    "With yes, mail can go into /var/mail/LOGIN, where mail, mutt and IMAP servers read it. One small program, maildrop, then gets the setuid permission bit: it makes an empty mail drop for a user who has none, and does nothing else. With no, all mail is fetched by POP3."
  unix_delivery=$answer
  ask unix-accounts yes is_yes_no "Make an account for each user of this host?" \
    "$(unix_users | grep -c .) users of this host are people (numbers 1000 to 59999, and a shell). With yes each gets an account of the same name, with what .plan and .project say as finger information: they are read now, once. A summary is mailed to the Postmaster."
  unix_accounts=$answer
  if [ "$unix_accounts" = yes ]; then
    ask unix-passwords yes is_yes_no "Bring their passwords along?" \
      "With yes, the hashes of their passwords are copied, so that users log in with the password that they have. Later changes on either side are not copied. With no, each has to be given one."
    unix_passwords=$answer
    ask forward yes is_yes_no "Bring their .forward files along?" \
      "With yes, the addresses in each user's .forward become the forwarding addresses of the account. Programs and files named there cannot be brought along and are listed at the end."
    forward_files=$answer
    ask greeting no is_yes_no "Welcome each new account by a message?" \
      "With yes, each new account, of those made now too, finds a message that tells how to change its password and finger information. The Postmaster can switch it and write its text on the form Greeting."
    greeting=$answer
  else
    unix_passwords=no forward_files=no greeting=no
  fi
  ask aliases yes is_yes_no "Bring /etc/aliases along?" \
    "With yes, each alias of /etc/aliases becomes a channel alias, or, if it leads to several addresses, an account that forwards. Programs, files and lists named there cannot be brought along and are listed at the end."
  import_aliases=$answer
  ask postmaster "$(found_postmaster)" is_address_or_nothing "Who is the Postmaster?" \
    "The Postmaster sees to accounts and settings, needs no root password, and gets the mail about trouble. A user of this host or a mail address anywhere; with none, that mail is kept in the Postmaster's own mailbox."
  postmaster=$answer
  ask postmaster-password-file "" is_readable_or_nothing "File with the Postmaster's password?" \
    "Whoever knows the Postmaster's password logs in to the web pages as Postmaster. A file whose first line is the password; with none, one is made up and written to /etc/post.office.password, which only root can read."
  password_file=$answer
}

ask_others() {
  ask disable-others yes is_yes_no "Stop other mail, POP3 and finger servers?" \
    "Post.Office is the SMTP, POP3 and finger server of this host. With yes, other mail systems are stopped and do not start any more, and the lines of these services in /etc/inetd.conf are switched off. Mail that they still have stays with them. --remove takes it back. With no, you do it yourself before the start."
  disable_others=$answer
  ask replace-sendmail yes is_yes_no "Put our sendmail in place of the old one?" \
    "Programs of this host send mail with /usr/sbin/sendmail. With yes, the old one is kept as sendmail.bak, and sendmail, /usr/lib/sendmail, mailq and newaliases become links to ours. --remove takes it back."
  replace_sendmail=$answer
}

list_questions() {
  listing=yes
  ask_everything
}

# A name that nobody asks for is a mistake of whoever wrote it.
check_given() {
  for given_name in $(printf '%s\n' "$given" | sed -n 's/^\([^#=]*\)=.*/\1/p'); do
    grep -q "ask $given_name " "$parts/questions.sh" || die "$given_name is no question's name; $program --questions lists them"
  done
}

# ---- before anything is changed ------------------------------------------------------------------------------------------

look_for_trouble() {
  say ""
  look_at_places
  look_at_host
  look_at_ports
  [ -z "$fatal" ] || die "this has to be mended first; then run it again, it knows the answers"
}
fatal=''
stop_for() {
  printf 'PROBLEM: %s\n' "$*"
  fatal=yes
}

look_at_places() {
  for place in "$program_directory" "$spool_directory" "$mailbox_directory" "$log_directory"; do
    if is_nfs "$place"; then stop_for "$place lies on a network file system, which loses mail and settings: name a local disk"; fi
    if installed_here; then continue; fi
    is_empty "$place" || is_kept "$place" || stop_for "$place is not empty, and no Post.Office was installed there: empty it, or name another"
  done
  if installed_here; then look_at_moves; fi
}
# Setup changes everything but the places, where the mail is.
look_at_moves() {
  for pair in "program-directory $program_directory" "spool-directory $spool_directory" "mailbox-directory $mailbox_directory" \
    "log-directory $log_directory"; do
    place_now=$(conf_value "${pair% *}")
    [ -z "$place_now" ] || [ "$place_now" = "${pair#* }" ] ||
      stop_for "the ${pair% *} is $place_now and stays there; to move it: stop the system, move the directory, change $conf, run Setup"
  done
}

look_at_host() {
  [ "$(date +%Y)" -ge 2025 ] || stop_for "the clock of this host says $(date): set it, or mail is returned as too old"
  if command -v timedatectl > /dev/null 2>&1 && [ "$(timedatectl show -p NTPSynchronized --value 2> /dev/null)" = no ]; then
    warn "the clock of this host is not kept right by NTP; trace lines and certificates need the time (systemd-timesyncd or chrony)"
  fi
  if ! grep -qw landlock /sys/kernel/security/lsm 2> /dev/null && [ "$unix_delivery" = yes ] && [ -r /sys/kernel/security/lsm ]; then
    warn "this kernel runs without Landlock; delivery into mail drops stays off until it is there (boot with lsm=landlock,...)"
  fi
  getent hosts "$hostname" > /dev/null || warn "$hostname has no address, in DNS or in /etc/hosts; others cannot send mail to this host"
  waiting=$(other_queue)
  if [ "$waiting" -gt 0 ]; then
    warn "the mail system that is here now has $waiting messages in its queue; they stay with it (see the end)"
    later "deliver the $waiting messages in the queue of the old mail system: installpo(8), under OLD QUEUES, says how"
  fi
}

ports="25 465 587 110 995 79"
look_at_ports() {
  if system_runs; then return; fi
  for port in $ports $web_port; do
    port_taken "$port" || continue
    owner=$(port_owner "$port")
    if [ "$disable_others" = yes ] && may_be_stopped "${owner:-?}"; then continue; fi
    stop_for "port $port is taken by ${owner:-another program}; stop it (ss -ltnp 'sport = :$port' shows it), or let it be stopped"
  done
}
# may_be_stopped NAME: a program, as ss names it, that disable_everything stops.
may_be_stopped() {
  case $1 in
    master | smtpd | exim4 | sendmail* | courier* | popa3d | inetd | citserver | masqmail | cfingerd) return 0 ;;
  esac
  return 1
}

go_ahead() {
  say ""
  say "What will be done:"
  if installed_here; then
    say "  change what was answered differently, and leave everything else as it is"
  else
    say "  the user $suite_user and the group $suite_group, if they are not there"
    say "  programs in $program_directory, settings in $spool_directory, mail in $mailbox_directory, log in $log_directory, $conf"
  fi
  [ "$unix_accounts" = no ] || say "  an account for each of $(unix_users | grep -c .) users of this host who has none"
  [ "$disable_others" = no ] || say "  other servers stopped: $(installed_services | tr '\n' ' ')$(inetd_lines | grep -c .) lines of inetd.conf"
  [ "$replace_sendmail" = no ] || say "  /usr/sbin/sendmail, /usr/lib/sendmail, mailq and newaliases: links to ours, the old ones kept"
  if [ -n "$start" ]; then say "  the system started"; else say "  nothing started"; fi
  [ -z "$unattended" ] || return 0
  while :; do
    printf 'Go ahead? (yes or quit) '
    read -r answer || quit
    case $answer in yes) return ;; no | quit) quit ;; esac
  done
}
