# changes.sh: what is changed outside the suite's own directories, written down before it is done, and taken back. Part of
# installpo. A line of the file is KIND and words; to take back what was never done does nothing.
# The parts of installpo share their variables.
# shellcheck shell=sh disable=SC2154

note_change() { # note_change WORDS: once
  if [ ! -f "$changes_file" ]; then
    printf '# What installing Post.Office changed on this host. Setup --remove takes it back.\n' > "$changes_file" || die "$changes_file cannot be written"
  fi
  grep -qxF -- "$*" "$changes_file" || printf '%s\n' "$*" >> "$changes_file" || die "$changes_file cannot be written"
}
is_noted() {
  [ -f "$changes_file" ] && grep -qxF -- "$*" "$changes_file"
}

make_user_and_group() {
  if ! getent group "$suite_group" > /dev/null; then
    note_change "group $suite_group"
    groupadd --system "$suite_group" || die "the group $suite_group cannot be made"
  fi
  if ! getent passwd "$suite_user" > /dev/null; then
    note_change "user $suite_user"
    useradd --system --gid "$suite_group" --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$suite_user" ||
      die "the user $suite_user cannot be made"
  fi
  [ "$(id -gn "$suite_user")" = "$suite_group" ] || die "the user $suite_user has the group $(id -gn "$suite_user"), not $suite_group: usermod -g $suite_group $suite_user"
}

# put_link PATH TARGET: what is there is kept as PATH.bak.
put_link() {
  [ "$(readlink "$1" 2> /dev/null)" != "$2" ] || return 0
  if command -v dpkg-divert > /dev/null; then
    note_change "divert $1"
    dpkg-divert --quiet --local --rename --divert "$1.bak" --add "$1" || die "$1 cannot be set aside"
  elif [ -e "$1" ] || [ -L "$1" ]; then
    [ ! -e "$1.bak" ] || die "$1.bak is in the way: remove or rename it"
    note_change "moved $1"
    mv "$1" "$1.bak" || die "$1 cannot be renamed"
  else
    note_change "link $1"
  fi
  ln -sfn "$2" "$1" || die "$1 cannot be linked to $2"
}

# put_file PATH MODE: from standard input, a file outside that is ours.
put_file() {
  note_change "file $1"
  { cat > "$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1"; } || die "$1 cannot be written"
}

# switch_off_inetd: our services' lines become comments that can be told from others'.
inetd_mark='#<post.office># '
switch_off_inetd() {
  [ "$(inetd_lines | grep -c .)" -gt 0 ] || return 0
  note_change "inetd /etc/inetd.conf"
  inetd_numbers=$(inetd_lines | cut -d: -f1 | sed "s/\$/s|^|$inetd_mark|/")
  sed "$inetd_numbers" /etc/inetd.conf > /etc/inetd.conf.new || die "/etc/inetd.conf.new cannot be written"
  put_back_into /etc/inetd.conf
  hup_inetd
}
put_back_into() { # put_back_into FILE: from FILE.new; owner and mode stay
  { cat "$1.new" > "$1" && rm "$1.new"; } || die "$1 cannot be changed"
}
hup_inetd() {
  pkill -HUP -x '(openbsd-)?x?inetd' 2> /dev/null || true
}

# service_is enabled|active NAME
service_is() {
  case $1 in
    enabled)
      if [ -d /etc/systemd/system ] && command -v systemctl > /dev/null; then
        systemctl is-enabled --quiet "$2" 2> /dev/null
      else
        ls /etc/rc[2345].d/S??"$2" > /dev/null 2>&1
      fi
      ;;
    active)
      if has_systemd; then
        systemctl is-active --quiet "$2"
      else
        [ -x "/etc/init.d/$2" ] && "/etc/init.d/$2" status > /dev/null 2>&1
      fi
      ;;
  esac
}
stop_service() { # stop_service NAME
  service_was=''
  service_is active "$1" && service_was=active
  service_is enabled "$1" && service_was="$service_was enabled"
  [ -n "$service_was" ] || return 0
  grep -q "^service $1 " "$changes_file" 2> /dev/null || note_change "service $1 $service_was"
  if has_systemd; then
    systemctl --quiet stop "$1" || die "$1 cannot be stopped"
  elif [ -x "/etc/init.d/$1" ]; then
    "/etc/init.d/$1" stop > /dev/null || die "$1 cannot be stopped"
  fi
  switch_service disable "$1"
}
switch_service() { # switch_service enable|disable NAME
  if command -v systemctl > /dev/null; then
    systemctl --quiet "$1" "$2" > /dev/null 2>&1
  fi
  if [ -x "/etc/init.d/$2" ] && command -v update-rc.d > /dev/null; then
    update-rc.d "$2" "$1" > /dev/null 2>&1
  fi
  return 0
}

# ---- back, the newest first --------------------------------------------------------------------------------------------------

take_back_changes() {
  [ -f "$changes_file" ] || return 0
  tac "$changes_file" | while read -r kind what more; do
    case $kind in
      divert)
        [ ! -L "$what" ] || rm -f "$what"
        dpkg-divert --quiet --local --rename --divert "$what.bak" --remove "$what" || warn "$what is still diverted: dpkg-divert --list"
        ;;
      moved)
        [ ! -L "$what" ] || rm -f "$what"
        [ -e "$what" ] || mv "$what.bak" "$what"
        ;;
      link) [ ! -L "$what" ] || rm -f "$what" ;;
      file) rm -f "$what" ;;
      folder) rmdir --ignore-fail-on-non-empty "$what" 2> /dev/null ;;
      inetd)
        sed "s|^$inetd_mark||" "$what" > "$what.new" || die "$what.new cannot be written"
        put_back_into "$what"
        hup_inetd
        ;;
      service)
        case " $more " in *" enabled "*) switch_service enable "$what" ;; esac
        case " $more " in *" active "*) start_service "$what" ;; esac
        ;;
      user) [ "$1" = keep ] || userdel "$what" 2> /dev/null ;;
      group) [ "$1" = keep ] || groupdel "$what" 2> /dev/null ;;
    esac
  done
}
start_service() {
  if has_systemd; then
    systemctl --quiet start "$1" || warn "$1 does not start: systemctl status $1"
  elif [ -x "/etc/init.d/$1" ]; then
    "/etc/init.d/$1" start > /dev/null || warn "$1 does not start"
  fi
}
