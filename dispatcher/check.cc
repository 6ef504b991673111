#include "dispatcher/check.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <functional>

#include "dispatcher/certificates.h"
#include "dispatcher/layout.h"
#include "dispatcher/local_socket.h"
#include "dispatcher/privileges.h"
#include "dispatcher/run_state.h"
#include "dispatcher/services.h"
#include "lib/sandbox.h"
#include "lib/tls.h"

namespace dispatcher {

using po::config::Config;

static constexpr int kDaysToWarn = 21;
static constexpr std::uint64_t kLittleSpace = 256ULL << 20;

class Findings {
 public:
  void good(const std::string& text) { fmt::print("ok     {}\n", text); }
  void warn(const std::string& text) { fmt::print("note   {}\n", text); }
  void bad(const std::string& text) {
    fmt::print("WRONG  {}\n", text);
    ++wrong_;
  }
  void result(const std::string& what, const std::string& problem) {
    if (problem.empty())
      good(what);
    else
      bad(problem);
  }
  [[nodiscard]] int wrong() const { return wrong_; }

 private:
  int wrong_ = 0;
};

static bool check_identity(const Config& config, Findings& f, Identity& who) {
  if (geteuid() != 0) {
    who = own_identity();
    passwd* pw = getpwnam(config.user.c_str());
    if (pw != nullptr && pw->pw_uid != who.uid)
      f.warn("checked as " + who.user + ", for a private instance; as root more can be seen");
    return true;
  }
  auto found = find_identity(config.user, config.group);
  if (!found) {
    f.bad(found.error().text);
    return false;
  }
  who = *found;
  ::group* gr = getgrgid(who.gid);
  if (gr != nullptr && gr->gr_mem != nullptr && gr->gr_mem[0] != nullptr) {
    f.bad(fmt::format(
        "group {} has members ({}, ...): they could read what is the suite's alone; gpasswd -d {} {}",
        who.group, gr->gr_mem[0], gr->gr_mem[0], who.group));
  } else {
    f.good(fmt::format("user {} and group {} exist", who.user, who.group));
  }
  if (!config.admin_group.empty()) {
    auto admins = find_admin_group(config.admin_group);
    f.result("group " + config.admin_group + " exists", admins ? std::string() : admins.error().text);
  }
  if (who.group == "mail")
    f.bad("group mail belongs to other software as well; make a group of the suite's own");
  return true;
}

static void check_programs(const Config& config, Findings& f) {
  bool root = geteuid() == 0;
  constexpr std::string_view kPrograms[] = {"post.office", "accounts",     "queue",       "smtp-deliver",
                                            "smtpd",       "pop3d",        "fingerd",     "wwwd",
                                            "story",       "unix-deliver", "lmtp-deliver"};
  for (std::string_view name : kPrograms) {
    bool optional = name == "wwwd" || name == "story" || name == "unix-deliver" || name == "lmtp-deliver";
    if (optional && config.processes(name) == 0) continue;
    std::string path = config.program(name);
    struct stat st {};
    if (stat(path.c_str(), &st) != 0) {
      f.bad(fmt::format("{}: {}; install the programs there, or set program-directory", path,
                        std::strerror(errno)));
      continue;
    }
    if (!root) continue;
    bool client = name == "post.office";  // everybody may read the command; it holds nothing
    bool mode_ok = (st.st_mode & 07777) == 0711 || (client && (st.st_mode & 07777) == 0755);
    if (st.st_uid != 0) f.bad(fmt::format("{} belongs to uid {}; chown root:root {}", path, st.st_uid, path));
    if (!mode_ok) f.bad(fmt::format("{} has mode {:04o}; chmod 0711 {}", path, st.st_mode & 07777, path));
    if (st.st_uid == 0 && mode_ok) f.good(path);
  }
  struct stat st {};
  if (root && stat(config.program_directory.c_str(), &st) == 0 &&
      (st.st_uid != 0 || (st.st_mode & 022) != 0)) {
    f.bad(fmt::format("{} can be changed by others than root; chown root {} && chmod go-w {}",
                      config.program_directory, config.program_directory, config.program_directory));
  }
}

/// What maildrop asks of itself and of the directory, so that it need not say it.
static void check_mail_drops(const Config& config, Findings& f, const Identity& who) {
  if (!config.unix_deliver || geteuid() != 0) return;
  std::string helper = config.program("maildrop");
  const char* directory = po::messages::kMaildropDirectory;
  auto mail = find_mail_group();
  struct stat st {};
  if (!mail) {
    f.bad(mail.error().text);
  } else if (lstat(directory, &st) != 0 || !S_ISDIR(st.st_mode)) {
    f.bad(fmt::format("{} is no directory: install -d -o root -g mail -m 2775 {}", directory, directory));
  } else {
    bool good =
        st.st_uid == 0 && st.st_gid == *mail && (st.st_mode & S_IWOTH) == 0 && (st.st_mode & S_IWGRP) != 0;
    f.result(fmt::format("{} has mail drops", directory),
             good ? std::string()
                  : fmt::format("{} has to be root's, of group mail, and not writable for everybody: chown "
                                "root:mail {} && chmod 2775 {}",
                                directory, directory, directory));
  }
  if (stat(helper.c_str(), &st) != 0) {
    f.bad(fmt::format("{}: {}; mail drops that are not there cannot be made", helper, std::strerror(errno)));
  } else {
    bool good = st.st_uid == 0 && st.st_gid == who.gid && (st.st_mode & 07777) == 04510;
    f.result(helper + " makes mail drops",
             good ? std::string()
                  : fmt::format("{} cannot make mail drops: chown root:{} {} && chmod 4510 {}", helper,
                                who.group, helper, helper));
  }
}

/// What `ask` says as the suite's user: in a process of its own, because becoming that user is for good.
static std::string ask_as(const Identity& who, const Kept& kept, const std::function<std::string()>& ask) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::strerror(errno);
  po::Fd out(ends[0]), in(ends[1]);
  pid_t pid = fork();
  if (pid < 0) return std::strerror(errno);
  if (pid == 0) {
    auto is_there = geteuid() == 0 ? become(who, kept) : po::Result<void>();
    std::string said = is_there ? ask() : is_there.error().text;
    ssize_t n = ::write(in.get(), said.data(), said.size());  // far below what a pipe takes at once
    _exit(n == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  in.reset();
  std::string said;
  char buffer[4096];
  for (ssize_t n; (n = ::read(out.get(), buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(n));
  int status = 0;
  bool ended = waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return ended ? said : "could not be tried";
}

/// The section of Dovecot's configuration that has it listen at `path` for `user` alone. A listener in
/// Dovecot's own directory goes by its name there: by its whole path it would be a second one.
static std::string dovecot_lines(const std::string& path, const std::string& user) {
  std::string name = path;
  for (const std::string own : {"/run/dovecot/", "/var/run/dovecot/"})
    if (path.starts_with(own)) name = path.substr(own.size());
  return fmt::format(
      "\n         service lmtp {{\n           unix_listener {} {{\n             user = {}\n             mode "
      "= "
      "0600\n           }}\n         }}",
      name, user);
}

/// What keeps this user's mail out of the store, and what mends it; empty: nothing.
static std::string store_problem(const std::string& path, const std::string& user) {
  auto connection = connect_to_local(path, "the mail store", "unix-deliver");
  int error = connection ? 0 : connection.error().sys_errno;
  std::string dovecot = "; for Dovecot, in /etc/dovecot/conf.d/10-master.conf:" + dovecot_lines(path, user) +
                        "\n       then systemctl restart dovecot";
  struct stat st {};
  if (error == 0) return connection ? std::string() : connection.error().text;
  if (stat(path.c_str(), &st) == 0 && !S_ISSOCK(st.st_mode))
    return fmt::format("{} is no socket: name the mail store's LMTP socket at unix-deliver", path);
  if (error == EACCES) {
    std::string closed = closed_part(path);
    if (closed == path) return fmt::format("{} cannot be written by user {}{}", path, user, dovecot);
    return fmt::format(
        "{} cannot be entered by user {}, so the mail store's socket in it is out of reach: chmod a+x {}, or "
        "name a socket in an open directory at unix-deliver",
        closed, user, closed);
  }
  if (error == ENOENT || error == ENOTDIR) {
    return fmt::format(
        "{} is not there: install and start the mail store (Dovecot: package dovecot-lmtpd), "
        "or name its LMTP socket at unix-deliver{}",
        path, dovecot);
  }
  return fmt::format("nobody listens at {} ({}): start the mail store (systemctl start dovecot)", path,
                     std::strerror(error));
}

static void check_mail_store(const Config& config, Findings& f, const Identity& who) {
  if (config.lmtp_socket.empty()) return;
  auto kept = what_is_kept(config, geteuid() == 0);
  if (!kept) return f.bad(kept.error().text);
  f.result(fmt::format("{} takes mail for this host's users", config.lmtp_socket),
           ask_as(who, *kept, [&] { return store_problem(config.lmtp_socket, who.user); }));
}

static void check_certificate(const po::config::CertificateFiles& files, Findings& f, const Identity& who) {
  auto certificate = read_certificate(files);
  if (!certificate) return f.bad(certificate.error().text);
  auto days = po::certificate_days_left(certificate->chain);
  if (!days)
    f.bad(fmt::format("{}: {}", files.chain, days.error().text));
  else if (*days < 0)
    f.bad(fmt::format("{} has ended; put a new one there and say post.office reload", files.chain));
  else if (*days < kDaysToWarn)
    f.bad(fmt::format("{} ends in {} days; put a new one there and say post.office reload", files.chain,
                      *days));
  else
    f.good(fmt::format("{} fits its key, {} days left", files.chain, *days));
  struct stat st {};
  if (stat(files.key.c_str(), &st) != 0) return;
  if ((st.st_mode & 0077 & ~S_IRGRP) != 0)
    f.bad(fmt::format("{} has mode {:04o}; chmod 0640 {}", files.key, st.st_mode & 07777, files.key));
  bool group_reads = st.st_gid == who.gid && (st.st_mode & S_IRGRP) != 0;
  if (!group_reads && st.st_uid != who.uid) {
    f.warn(
        fmt::format("{} cannot be read by group {}: reload will not see a new key, only restart; chgrp {} "
                    "{} && chmod 0640 {}",
                    files.key, who.group, who.group, files.key, files.key));
  }
}

static void check_certificates(const Config& config, Findings& f, const Identity& who) {
  for (const auto& files : certificate_files(config)) {
    if (config.certificates.empty() && access(files.chain.c_str(), F_OK) != 0 && errno == ENOENT)
      f.good("no certificate yet: start makes a self-signed one");
    else
      check_certificate(files, f, who);
  }
  for (const auto& files : config.web_certificates) check_certificate(files, f, who);
}

static void check_ports(const Config& config, Findings& f, bool running) {
  if (running) return f.good("the ports are the running system's");
  for (const auto& service : config.services) {
    if (service.off) continue;
    if (service.inetd) f.good(fmt::format("service {} takes connections from inetd", service.name));
    for (const auto& endpoint : service.listen) {
      if (endpoint.address.family == 0) continue;
      Config one = config;
      one.services = {service};
      one.services[0].listen = {endpoint};
      auto bound = bind_network_ports(one, {}, 0);
      if (bound && !bound->warnings.empty())
        f.warn(bound->warnings[0]);
      else if (bound)
        f.good(fmt::format("{} is free for service {}", endpoint.text(), service.name));
      else
        f.bad(bound.error().text);
    }
  }
}

static void check_kernel(Findings& f) {
  if (po::sandbox::landlock_version() == 0) {
    f.bad(
        "this kernel has no Landlock: messages over 64 KiB are refused (internals(7)); boot with landlock in "
        "lsm=, or take a kernel that has it");
  }
}

static void check_space(const std::string& directory, Findings& f) {
  struct statvfs v {};
  if (statvfs(directory.c_str(), &v) != 0) return;  // not made yet
  std::uint64_t octets = static_cast<std::uint64_t>(v.f_bavail) * v.f_frsize;
  std::string text = fmt::format("{}: {} MiB free", directory, octets >> 20);
  if (octets < kLittleSpace)
    f.bad(text + "; make room, or mail will be refused with 452");
  else
    f.good(text);
  if ((v.f_flag & ST_RDONLY) != 0) f.bad(directory + " is on a file system that is mounted read-only");
}

int run_check(const po::config::Parsed& parsed) {
  Findings f;
  for (const std::string& problem : parsed.problems) f.bad(problem);
  if (!parsed.problems.empty()) return 1;
  const Config& config = parsed.config;
  f.good(config.file);
  if (po::config::is_qualified_name(config.hostname))
    f.good("host name " + config.hostname);
  else
    f.bad(fmt::format("host name '{}' is not fully qualified; set hostname in {}", config.hostname,
                      config.file));
  Identity who;
  bool known = check_identity(config, f, who);
  bool running = lock_holder(config.run_path("pid")).has_value();
  if (known) {
    for (const Directory& d : layout(config)) f.result(d.path, examine_directory(d, who, geteuid() != 0));
    check_certificates(config, f, who);
  }
  check_programs(config, f);
  check_mail_drops(config, f, who);
  if (known) check_mail_store(config, f, who);
  check_kernel(f);
  check_ports(config, f, running);
  for (const std::string& d : {config.spool_directory, config.mailbox_directory, config.log_directory})
    check_space(d, f);
  bool commands = std::any_of(config.services.begin(), config.services.end(), [](const auto& s) {
    return !s.off && s.protocol == po::messages::Protocol::kCommand;
  });
  if (!commands) f.warn("no command service: once it runs, only signals reach it, and stop by root");
  if (config.resolvers.empty())
    f.warn("no resolver: names of hosts and clients are looked up in /etc/hosts only");
  fmt::print("{}\n", f.wrong() == 0
                         ? "Nothing is wrong."
                         : fmt::format("{} thing{} wrong.", f.wrong(), f.wrong() == 1 ? " is" : "s are"));
  return f.wrong() == 0 ? 0 : 1;
}

}  // namespace dispatcher
