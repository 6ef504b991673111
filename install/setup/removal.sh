# removal.sh: taking Post.Office off this host. Part of installpo.
# The parts of installpo share their variables.
# shellcheck shell=sh disable=SC2154

remove_all() {
  installed_here || [ -f "$changes_file" ] || die "no Post.Office is installed here"
  read_places
  look_at_the_queue
  choose_data
  if [ -z "$unattended" ]; then
    printf 'Take Post.Office off this host? (yes or no) '
    read -r answer || answer=no
    [ "$answer" = yes ] || die "nothing was changed"
  fi
  # From here the program's own directory goes: the shell has read all of this already.
  if system_runs; then stop_system; fi
  switch_service disable post.office
  take_back_changes "$data"
  remove_directories
  rm -f "$changes_file" "$answers_file" "$conf"
  if has_systemd; then systemctl daemon-reload; fi
  say "Post.Office is gone from this host."
  [ "$data" = delete ] || say "Kept: $spool_directory (accounts, settings), $mailbox_directory (mail), $log_directory (log)."
}

# What waits would be lost to its senders; they are to decide, not we.
look_at_the_queue() {
  if ! system_runs; then
    [ -n "$force" ] || ! installed_here || die "the system does not run, so nobody can say what waits in its queue: start it, or give --force"
    return 0
  fi
  waiting=$(office queue list --json | grep -c .)
  [ "$waiting" -eq 0 ] || [ -n "$force" ] ||
    die "mail for $waiting recipients waits in the queue: post.office queue list shows it, queue retry --all tries it now, --force removes all the same"
}

choose_data() {
  while [ -z "$data" ]; do
    [ -z "$unattended" ] || die "--data keep or --data delete: what becomes of accounts and mail?"
    printf 'Accounts, settings and mail, also what users have not fetched yet: keep or delete? '
    read -r answer || die "nothing was changed"
    case $answer in keep | delete) data=$answer ;; esac
  done
}

remove_directories() {
  for place in "$program_directory" $([ "$data" = keep ] || printf '%s\n' "$spool_directory" "$mailbox_directory" "$log_directory"); do
    [ ! -d "$place" ] || rm -rf "$place"
  done
}
