#include "dispatcher/privileges.h"

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "dispatcher/local_socket.h"

namespace dispatcher {

using po::permanent;
using po::Result;

Result<Identity> find_identity(const std::string& user, const std::string& group) {
  Identity who;
  passwd* pw = getpwnam(user.c_str());
  if (pw == nullptr) {
    return permanent(
        fmt::format("user {} does not exist; make it: useradd --system --user-group --no-create-home "
                    "--home-dir /nonexistent --shell /usr/sbin/nologin {}",
                    user, user));
  }
  who.uid = pw->pw_uid;
  ::group* gr = getgrnam(group.c_str());
  if (gr == nullptr)
    return permanent(fmt::format("group {} does not exist; make it: groupadd --system {}", group, group));
  who.gid = gr->gr_gid;
  if (who.uid == 0 || who.gid == 0)
    return permanent(fmt::format("{}:{} is root; the suite never runs as root", user, group));
  who.user = user;
  who.group = group;
  return who;
}

Result<gid_t> find_admin_group(const std::string& group) {
  ::group* gr = getgrnam(group.c_str());
  if (gr != nullptr) return gr->gr_gid;
  return permanent(fmt::format("admin-group {} does not exist; make it: groupadd --system {}", group, group));
}

Identity own_identity() {
  Identity who{geteuid(), getegid(), {}, {}};
  passwd* pw = getpwuid(who.uid);
  who.user = pw != nullptr ? pw->pw_name : std::to_string(who.uid);
  ::group* gr = getgrgid(who.gid);
  who.group = gr != nullptr ? gr->gr_name : std::to_string(who.gid);
  return who;
}

Result<gid_t> find_mail_group() {
  ::group* gr = getgrnam("mail");
  if (gr != nullptr && gr->gr_gid != 0) return gr->gr_gid;
  return permanent("group mail does not exist; make it (groupadd --system mail), or set unix-deliver off");
}

Result<Kept> what_is_kept(const po::config::Config& config, bool root) {
  Kept kept;
  auto add = [&kept](gid_t group) {
    if (std::ranges::find(kept.groups, group) == kept.groups.end()) kept.groups.push_back(group);
  };
  if (auto group = group_to_enter(config.saslauthd, "sasl")) add(*group);
  if (auto group = group_to_enter(config.lmtp_socket, "")) add(*group);
  if (!root || !config.unix_deliver) return kept;
  auto mail = find_mail_group();
  if (!mail) return tl::unexpected(mail.error());
  add(*mail);
  kept.chown = true;
  return kept;
}

/// No program that is started from here, whatever its bits, gets a capability again, but for what is kept.
static Result<void> drop_bounding_set(const Kept& kept) {
  for (int cap = 0; cap < 64; ++cap) {
    int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
    if (has < 0) break;  // past the last one that the kernel knows
    if (has == 0 || (kept.chown && cap == CAP_CHOWN)) continue;
    if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0)
      return permanent("the bounding set of capabilities cannot be emptied; that takes CAP_SETPCAP", errno);
  }
  return {};
}

/// Whether any capability is left in any of the sets of the thread.
static bool has_capabilities() {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &head, data) != 0) return true;
  for (const auto& d : data) {
    if ((d.effective | d.permitted | d.inheritable) != 0) return true;
  }
  return false;
}

static bool has_groups(const std::vector<gid_t>& wanted) {
  std::vector<gid_t> groups(wanted.size() + 1);
  int n = getgroups(static_cast<int>(groups.size()), groups.data());
  if (n < 0) return false;
  groups.resize(static_cast<std::size_t>(n));
  return std::is_permutation(groups.begin(), groups.end(), wanted.begin(), wanted.end());
}

static Result<void> prove_dropped(const Identity& who, const Kept& kept) {
  uid_t r = 0, e = 0, s = 0;
  gid_t rg = 0, eg = 0, sg = 0;
  bool same = getresuid(&r, &e, &s) == 0 && getresgid(&rg, &eg, &sg) == 0 && r == who.uid && e == who.uid &&
              s == who.uid && rg == who.gid && eg == who.gid && sg == who.gid && has_groups(kept.groups);
  if (!same) return permanent("the ids did not change as asked");
  if (setuid(0) == 0 || seteuid(0) == 0 || setresuid(0, 0, 0) == 0 || setgid(0) == 0 || setegid(0) == 0 ||
      setresgid(0, 0, 0) == 0) {
    return permanent("root could be had again");
  }
  if (has_capabilities()) return permanent("capabilities are left");
  return {};
}

Result<void> become(const Identity& who, const Kept& kept) {
  if (auto dropped = drop_bounding_set(kept); !dropped) return dropped;
  if (setgroups(kept.groups.size(), kept.groups.data()) != 0) return permanent("setgroups", errno);
  if (setresgid(who.gid, who.gid, who.gid) != 0) return permanent("setresgid", errno);
  if (setresuid(who.uid, who.uid, who.uid) != 0) return permanent("setresuid", errno);
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  if (syscall(SYS_capset, &head, none) != 0) return permanent("capset", errno);
#ifndef POST_OFFICE_SANITIZED  // the leak checker attaches to its own process
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
  return prove_dropped(who, kept);
}

}  // namespace dispatcher
