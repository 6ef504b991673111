// Giving up root for good. Called once by the dispatcher, after the ports are bound and before anything else
// runs, and by `post.office account ...` on a stopped system.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "lib/config.h"
#include "lib/error.h"

namespace dispatcher {

struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string user, group;
};

/// The numbers of a user and group, or what to do if there is none. uid 0 and gid 0 are refused.
[[nodiscard]] po::Result<Identity> find_identity(const std::string& user, const std::string& group);
/// The number of the administrators' group, or what to do if there is none.
[[nodiscard]] po::Result<gid_t> find_admin_group(const std::string& group);
/// Who runs this program now (a private instance).
[[nodiscard]] Identity own_identity();
/// What is kept of root's, beside nothing.
struct Kept {
  std::vector<gid_t> groups;  ///< supplementary
  bool chown = false;         ///< a program with the setuid bit may get CAP_CHOWN, and nothing else: maildrop
};
/// Becomes `who` in all of real, effective and saved ids, without capabilities, and proves it by trying to go
/// back. A failure leaves the process in between: exit.
[[nodiscard]] po::Result<void> become(const Identity& who, const Kept& kept = {});
/// Group mail, which may write in /var/mail; or what to do if there is none.
[[nodiscard]] po::Result<gid_t> find_mail_group();
/// What this configuration needs to be kept, of root's or (`root` is false) of the caller's of a private
/// instance; or what to do if it cannot be had.
[[nodiscard]] po::Result<Kept> what_is_kept(const po::config::Config& config, bool root);

}  // namespace dispatcher
