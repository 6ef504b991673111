# upgrade.sh: new programs over old ones, tried on a copy of the database first; and back. Part of installpo.
# What is kept for the way back: PROGRAM/previous, the old programs; SPOOL/previous, the database as it was before.
# The parts of installpo share their variables.
# shellcheck shell=sh disable=SC2154

programs_differ() {
  layout_lines program | while read -r _ _ _ _ path; do
    cmp -s "$root/build/bin/${path##*/}" "$path" || echo differ
  done | grep -q differ
}

upgrade() {
  programs_differ || return 0
  say "Upgrading: the new programs are tried on a copy of the database"
  if [ -n "$ran" ]; then stop_system; fi
  if ! rehearse; then
    [ -z "$ran" ] || start_system
    die "the new programs do not work with this database; nothing was changed. The log of the trial is above"
  fi
  keep_previous
}

# An instance of its own in a directory of its own, which only the command socket leads to.
rehearse() {
  trial=$(mktemp -d /var/tmp/post.office-XXXXXX) || die "no directory for the trial can be made in /var/tmp"
  chmod 0711 "$trial"
  install -d -o root -g root -m 0755 "$trial/program"
  layout_lines program | while read -r _ _ _ _ path; do
    install -m 0711 "$root/build/bin/${path##*/}" "$trial/program/"
  done
  install -d -o "$suite_user" -g "$suite_group" -m 0711 "$trial/spool"
  cp -a "$spool_directory/directory" "$spool_directory/secrets" "$trial/spool/"
  cat > "$trial/conf" << END
hostname           $hostname
user               $suite_user
group              $suite_group
program-directory  $trial/program
spool-directory    $trial/spool
mailbox-directory  $trial/mailbox
log-directory      $trial/log
resolver           none
smtp-deliver       off
service command    command run/command accounts
END
  trial_fails=''
  "$trial/program/post.office" -c "$conf" account list > "$trial/before" 2> /dev/null || trial_fails=yes
  "$trial/program/post.office" -c "$trial/conf" start || trial_fails=yes
  "$trial/program/post.office" -c "$trial/conf" account list > "$trial/after" || trial_fails=yes
  "$trial/program/post.office" -c "$trial/conf" export > /dev/null || trial_fails=yes
  cmp "$trial/before" "$trial/after" || trial_fails=yes
  "$trial/program/post.office" -c "$trial/conf" stop || trial_fails=yes
  [ -z "$trial_fails" ] || tail -n 20 "$trial/log/post.office.log"
  rm -rf "$trial"
  [ -z "$trial_fails" ]
}

keep_previous() {
  rm -rf "$program_directory/previous" "$spool_directory/previous"
  install -d -o root -g root -m 0755 "$program_directory/previous"
  layout_lines 'program\|setuid' | while read -r _ _ _ _ path; do
    [ ! -e "$path" ] || cp -p "$path" "$program_directory/previous/"
  done
  install -d -o "$suite_user" -g "$suite_group" -m 0700 "$spool_directory/previous"
  cp -a "$spool_directory/directory" "$spool_directory/secrets" "$spool_directory/previous/"
}

# The old programs again. If they cannot read the database as it is by now, they get the one that they left.
go_back() {
  installed_here || die "no Post.Office is installed here"
  read_places
  [ -d "$program_directory/previous" ] || die "there are no programs of before an upgrade in $program_directory/previous"
  ran=''
  if system_runs; then
    ran=yes
    stop_system
  fi
  for path in "$program_directory"/previous/*; do
    mv "$path" "$program_directory/${path##*/}" || die "$path cannot be put back"
  done
  rmdir "$program_directory/previous"
  if ! office account list > /dev/null 2>&1; then
    for what in directory secrets; do
      mv "$spool_directory/$what" "$spool_directory/$what.newer-$(date +%s)"
      mv "$spool_directory/previous/$what" "$spool_directory/$what"
    done
    say "The database is the one of before the upgrade; what was changed since is in $spool_directory/*.newer-*."
  fi
  rm -rf "$spool_directory/previous"
  [ -z "$ran" ] || start_system
  say "The programs of before the upgrade are back: $(office version)"
}
