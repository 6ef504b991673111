# programs.sh: programs, directories, configuration, the service. Part of installpo.
# The parts of installpo share their variables.
# shellcheck shell=sh disable=SC2154

office() { # the command, of the installed system
  "$program_directory/post.office" "$@"
}
# What is installed, not what is asked for.
installed_here() {
  [ -f "$conf" ] && [ -x "$(conf_value program-directory)/post.office" ]
}
system_runs() {
  installed_here && "$(conf_value program-directory)/post.office" status > /dev/null 2>&1
}
from_source() {
  [ -f "$root/Makefile" ] && [ -d "$root/dispatcher" ]
}

conf_value() { # conf_value KEY: as the file has it
  [ -f "$conf" ] && sed -n "s/^$1[[:space:]]\{1,\}\([^[:space:]#]*\).*/\1/p" "$conf" | tail -n 1
}
read_places() { # of what is installed
  program_directory=$(conf_value program-directory)
  spool_directory=$(conf_value spool-directory)
  mailbox_directory=$(conf_value mailbox-directory)
  log_directory=$(conf_value log-directory)
}
set_conf() { # set_conf KEY VALUE: in its place, else at the end
  awk -v key="$1" -v value="$2" '
    $1 == key && !done { printf "%-18s %s\n", key, value; done = 1; next }
    { print }
    END { if (!done) printf "%-18s %s\n", key, value }' "$conf" > "$conf.new" || die "$conf.new cannot be written"
  chmod 0644 "$conf.new" && mv "$conf.new" "$conf"
}

# layout_lines KINDS: of the table, with the answers put in.
layout_lines() {
  sed -n "s/^\($1\) /\1 /p" "$here/layout" | while read -r kind owner group mode path; do
    if [ "$kind" = setuid ] && [ "$unix_delivery" = no ]; then continue; fi
    case $path in
      PROGRAM*) path=$program_directory${path#PROGRAM} ;;
      SPOOL*) path=$spool_directory${path#SPOOL} ;;
      MAILBOX*) path=$mailbox_directory${path#MAILBOX} ;;
      LOG*) path=$log_directory${path#LOG} ;;
    esac
    [ "$owner" != USER ] || owner=$suite_user
    [ "$group" != GROUP ] || group=$suite_group
    printf '%s %s %s %s %s\n' "$kind" "$owner" "$group" "$mode" "$path"
  done
}

build_programs() {
  from_source || return 0
  say "Building in $root/build (this takes some minutes the first time)"
  "$root/install/install-packages" build run || die "packages are missing; see above"
  make -s -C "$root" -j"$(nproc)" programs || die "the programs cannot be built; see above"
}

# Below the suite's own directories only what is not there is made: a link that the suite's user put there would lead
# root's chmod elsewhere. What is there otherwise the dispatcher mends, or layout_faults tells of.
put_directories() {
  layout_lines dir | while read -r _ owner group mode path; do
    if [ ! -e "$path" ] && [ ! -L "$path" ]; then
      mkdir -p "$(dirname "$path")" && mkdir -m "$mode" "$path" && chown -h "$owner:$group" "$path" || exit 1
    elif is_roots "$(dirname "$path")"; then
      chown -h "$owner:$group" "$path" && chmod "$mode" "$path" || exit 1
    fi
  done || die "the directories cannot be made"
}
is_roots() {
  [ "$(stat -c '%u %F' "$1")" = "0 directory" ]
}

put_programs() {
  from_source || return 0
  layout_lines 'program\|setuid' | while read -r _ owner group mode path; do
    put_over "$root/build/bin/${path##*/}" "$owner" "$group" "$mode" "$path" || exit 1
  done || die "the programs cannot be put into $program_directory"
  layout_lines part | while read -r _ owner group mode path; do
    put_over "$here/${path#"$program_directory/setup/"}" "$owner" "$group" "$mode" "$path" || exit 1
  done || die "Setup cannot be put into $program_directory"
  ln -sfn setup/installpo "$program_directory/Setup"
}
# put_over SOURCE OWNER GROUP MODE PATH: a running program keeps its own file.
put_over() {
  install -o "$2" -g "$3" -m "$4" "$1" "$5.new" && mv "$5.new" "$5"
}
# The one permission bit that a change of the answer moves.
set_setuid() {
  helper=$program_directory/maildrop
  if [ "$unix_delivery" = no ]; then
    [ ! -e "$helper" ] || chmod 0 "$helper"
  elif [ -e "$helper" ]; then
    chown "root:$suite_group" "$helper" && chmod 4510 "$helper"
  fi
}

put_pages() {
  from_source || return 0
  for page in "$root"/man/*.[1-8]; do
    at=/usr/local/share/man/man${page##*.}
    [ -d "$at" ] || { note_change "folder $at" && mkdir -p "$at"; }
    put_file "$at/${page##*/}" 0644 < "$page"
  done
  put_link /usr/local/sbin/post.office "$program_directory/post.office"
}

write_conf() {
  if [ ! -f "$conf" ]; then
    note_change "file $conf"
    {
      echo "# What Post.Office must know before it opens its database; post.office.conf(5). Setup changes single lines of it."
      for key in hostname user group program-directory spool-directory mailbox-directory log-directory unix-deliver; do
        printf '%-18s -\n' $key
      done
      cat << END

service smtp        smtp             0.0.0.0:25,[::]:25    smtpd processes=2
service submission  submission       0.0.0.0:587,[::]:587  smtpd
service submissions submission       0.0.0.0:465,[::]:465  smtpd tls=implicit
service local       local-submission run/submission        smtpd
service pop3        pop3             0.0.0.0:110,[::]:110  pop3d
service pop3s       pop3             0.0.0.0:995,[::]:995  pop3d tls=implicit
service web         http             0.0.0.0:443,[::]:443  wwwd tls=implicit
service finger      finger           0.0.0.0:79,[::]:79    fingerd
service command     command          run/command           accounts
END
    } > "$conf" || die "$conf cannot be written"
  fi
  set_conf hostname "$hostname"
  set_conf user "$suite_user"
  set_conf group "$suite_group"
  set_conf program-directory "$program_directory"
  set_conf spool-directory "$spool_directory"
  set_conf mailbox-directory "$mailbox_directory"
  set_conf log-directory "$log_directory"
  if [ "$unix_delivery" = no ]; then
    set_conf unix-deliver off
  else
    case $(conf_value unix-deliver) in /*) ;; *) set_conf unix-deliver on ;; esac
  fi
  sed "s/^\(service web  *http  *0\.0\.0\.0:\)[0-9]*\(,\[::\]:\)[0-9]*/\1$web_port\2$web_port/" "$conf" > "$conf.new" &&
    chmod 0644 "$conf.new" && mv "$conf.new" "$conf"
}

put_service() {
  if [ -d /etc/systemd/system ]; then
    sed -e "s|PROGRAM|$program_directory|g" -e "s|SPOOL|$spool_directory|g" -e "s|MAILBOX|$mailbox_directory|g" \
      -e "s|LOG|$log_directory|g" "$parts/post.office.service" | put_file /etc/systemd/system/post.office.service 0644
    if has_systemd; then systemctl daemon-reload; fi
    [ "$unix_delivery" = no ] || [ -d /var/mail ] || warn "/var/mail is not there; Debian has it, root's, of group mail, mode 2775"
  fi
  if [ -d /etc/init.d ]; then
    sed "s|PROGRAM|$program_directory|g" "$parts/post.office.init" | put_file /etc/init.d/post.office 0755
  fi
  if [ -d /etc/letsencrypt/renewal-hooks/deploy ]; then
    sed -e "s|PROGRAM|$program_directory|g" -e "s|GROUP|$suite_group|g" "$parts/certbot-hook" |
      put_file /etc/letsencrypt/renewal-hooks/deploy/post.office 0755
  fi
  note_change "start-at-boot post.office"
  switch_service enable post.office
}

# What is otherwise than the table says, a line each.
layout_faults() {
  layout_lines '[a-z]*' | while read -r kind owner group mode path; do
    is=$(stat -c '%U %G %a %F' "$path" 2> /dev/null) || { printf '%s is not there\n' "$path" && continue; }
    case $kind in dir) what=directory ;; *) what="regular file" ;; esac
    [ "$is" = "$owner $group ${mode#0} $what" ] || printf '%s is %s; it has to be %s %s %s\n' "$path" "$is" "$owner" "$group" "$mode"
  done
}

start_system() {
  say "Starting"
  if has_systemd; then
    systemctl start post.office || die "it does not start: systemctl status post.office, and $log_directory/post.office.log"
  else
    office start || die "it does not start; see above"
  fi
}
stop_system() {
  if has_systemd && systemctl is-active --quiet post.office; then
    systemctl stop post.office
  else
    "$(conf_value program-directory)/post.office" stop
  fi
}

# ---- the whole of it ---------------------------------------------------------------------------------------------------------

install_everything() {
  ran=''
  if system_runs; then ran=yes; fi
  build_programs
  if installed_here && from_source; then upgrade; fi
  make_user_and_group
  put_directories
  put_programs
  set_setuid
  put_pages
  write_conf
  put_service
  faults=$(layout_faults)
  [ -z "$faults" ] || die "the installation is not as install/layout has it:
$faults"
  fill_the_database
  if [ "$disable_others" = yes ]; then disable_everything; fi
  if [ "$replace_sendmail" = yes ]; then put_sendmail; fi
  if ! found=$(office check 2>&1); then
    warn "post.office check found something:
$(printf '%s\n' "$found" | grep -v '^ok ')"
  fi
  finish
}

put_sendmail() {
  for link in /usr/sbin/sendmail /usr/lib/sendmail /usr/bin/mailq /usr/bin/newaliases; do
    put_link "$link" "$program_directory/sendmail"
  done
}

finish() {
  if [ -n "$ran" ]; then
    say "Restarting, for what has changed"
    if system_runs; then stop_system; fi
    start=yes
  fi
  [ -z "$start" ] || start_system
  what_is_left
  write_summary
  [ -z "$start" ] || mail_summary
  cat "$program_directory/setup/summary"
  [ -n "$start" ] || say "
Nothing runs yet. To start it:  $program_directory/Setup --unattended --start"
}

what_is_left() {
  if [ -n "$start" ] && ! office check --dns > /dev/null 2>&1; then
    later "DNS: post.office check --dns says what others cannot find, and the records to add"
  fi
  [ -n "$(conf_value certificate)" ] ||
    later "the certificate is a self-signed one: get one that others trust (certbot), and name it in $conf"
  if [ -f /etc/post.office.password ]; then
    later "the Postmaster's password is in /etc/post.office.password: read it, change it on the web pages, remove the file"
  fi
}

write_summary() {
  {
    if [ -n "$start" ]; then say "Post.Office runs on $hostname."; else say "Post.Office is installed on $hostname."; fi
    say "
  web pages    https://$hostname:$web_port/   (log in as Postmaster)
  status       post.office status
  settings     post.office form list
  log          $log_directory/post.office.log
  answers      $program_directory/Setup changes them; $program_directory/Setup --remove takes all of it off"
    [ -z "$account_summary" ] || say "
Accounts:$account_summary"
    [ -z "$warnings" ] || say "
Warnings:$warnings"
    [ -z "$todo" ] || say "
Left to do:$todo"
  } > "$program_directory/setup/summary"
}
mail_summary() {
  {
    printf 'From: Post.Office Setup <postmaster>\nTo: postmaster\nSubject: Post.Office was installed on %s\n\n' "$hostname"
    cat "$program_directory/setup/summary"
  } | "$program_directory/sendmail" -f postmaster postmaster || warn "the summary cannot be mailed; it is in $program_directory/setup/summary"
}
