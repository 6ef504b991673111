#include "dispatcher/stopped.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "accounts/administration.h"
#include "accounts/commands.h"
#include "dispatcher/layout.h"
#include "dispatcher/privileges.h"
#include "dispatcher/run_state.h"
#include "dispatcher/system_facts.h"

namespace dispatcher {

using po::config::Config;

static int fail(const std::string& text, int status) {
  fmt::print(stderr, "post.office: {}\n", text);
  return status;
}

/// Directories and user as start would have them, so that accounts can be made before the first start.
static po::Result<void> become_suite_user(const Config& config) {
  bool root = geteuid() == 0;
  auto who = root ? find_identity(config.user, config.group) : po::Result<Identity>(own_identity());
  if (!who) return tl::unexpected(who.error());
  struct stat st {};
  if (!root && stat(config.spool_directory.c_str(), &st) == 0 && st.st_uid != who->uid) {
    return po::permanent("nothing runs, and only root can change a stopped system");
  }
  if (auto made = make_top_directories(config, *who); !made) return made;
  if (root) {
    if (auto r = become(*who); !r) return r;
  }
  umask(077);
  return make_inner_directories(config, *who);
}

static accounts::Caller local_caller() {
  accounts::Caller caller;
  caller.who = getuid() == 0 ? std::string("root") : fmt::format("uid {}", getuid());
  caller.way = "command";
  caller.administrator = true;
  return caller;
}

int run_on_stopped_system(const Config& config, const CommandLine& command) {
  if (!po::config::is_qualified_name(config.hostname)) {
    return fail(fmt::format("the host name '{}' is not fully qualified; set hostname in {}", config.hostname,
                            config.file),
                1);
  }
  const accounts::Caller caller = local_caller();  // before root is given up
  std::string input;
  if (accounts::reads_input(command.words)) {
    auto read = read_input(command.words);
    if (!read) return fail(read.error().text, 1);
    input = std::move(*read);
  }
  if (auto r = become_suite_user(config); !r) return fail(r.error().text, kExitNotAllowed);
  auto pid_file = PidFile::lock(config.run_path("pid"));  // no start while this goes on
  if (!pid_file) return fail(pid_file.error().text, kExitTemporary);
  accounts::Administration::Options options;
  options.directory_path = config.spool_directory + "/directory";
  options.secrets_path = config.spool_directory + "/secrets";
  options.hostname = config.hostname;
  options.facts = system_facts(config, {});
  auto administration = accounts::Administration::open(options);
  if (!administration) return fail(administration.error().text, kExitTemporary);
  accounts::CommandResult result = accounts::run_command(**administration, caller, command.words, input);
  std::fwrite(result.out.data(), 1, result.out.size(), stdout);
  std::fflush(stdout);
  std::fwrite(result.err.data(), 1, result.err.size(), stderr);
  pid_file->release();
  return result.exit_code;
}

}  // namespace dispatcher
