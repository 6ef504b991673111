// The program `post.office`: the dispatcher (start) and the command that talks to a running one (everything
// else).

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "accounts/commands.h"
#include "dispatcher/check.h"
#include "dispatcher/client.h"
#include "dispatcher/dns_check.h"
#include "dispatcher/run_state.h"
#include "dispatcher/start.h"
#include "dispatcher/stopped.h"
#include "dispatcher/trace_command.h"
#include "dispatcher/version.h"
#include "lib/text.h"

namespace dispatcher {
namespace {

constexpr const char* kHelp =
    "post.office [-c FILE] [--password-file FILE] COMMAND\n"
    "\n"
    "  start [--foreground]     start the system, return when it is ready\n"
    "  stop, shutdown           let sessions end (10 s at most), then stop\n"
    "  restart                  stop and start\n"
    "  reload                   new certificates, log files, numbers of processes\n"
    "  status [--json]          every process: pid, up time, restarts, sessions, rate\n"
    "  check [--dns]            configuration, owners, modes, ports, certificates, space; or DNS\n"
    "  account list|show|add|set|check|diff|history|undo|passwd|lock|unlock|sign-ins|remove\n"
    "  form list|show|set|check|diff|history|undo\n"
    "                           every form of the system and of its accounts\n"
    "  export, import           all forms and accounts as one text, and back\n"
    "  alias list|add|remove    channel aliases\n"
    "  domain list|add|remove   local mail domains, with --relay relay domains\n"
    "  route list|add|remove    the mail routing table\n"
    "  relay-password list|set|remove  passwords for hosts that mail is sent on to\n"
    "  app-password list|make|revoke  further passwords of an account, for mail programs\n"
    "  queue status [--json]    what the store holds\n"
    "  queue list|show|summary|watch, mailq\n"
    "                           what waits to be delivered, and why\n"
    "  queue retry|hold|release|reroute|remove|expire\n"
    "                           decide about what waits\n"
    "  route ADDRESS            where mail for an address goes, and why\n"
    "  trace ID|ADDRESS|<MESSAGE-ID>\n"
    "                           what the log says about a message\n"
    "  mailbox ADDRESS [--json] what a mailbox holds\n"
    "  version, help\n"
    "\n"
    "The configuration is /etc/post.office.conf if -c does not name another. See post.office(8).\n";

struct Options {
  std::string file = po::config::kDefaultFile;
  CommandLine command;
};

int usage(const std::string& why) {
  fmt::print(stderr, "post.office: {}\n\n{}", why, kHelp);
  return kExitUsage;
}

/// Options stand before the command; what follows it is the command's own. False: one of them is wrong.
bool parse_options(int argc, char** argv, Options& out) {
  int i = 1;
  for (; i < argc && argv[i][0] == '-'; ++i) {
    std::string_view word = argv[i];
    if (word == "--") break;
    if (word == "--help" || word == "-h" || word == "--version") {
      out.command.words = {word == "--version" ? "version" : "help"};
      return true;
    }
    std::string* where = word == "-c" || word == "--config" ? &out.file
                         : word == "--password-file"        ? &out.command.password_file
                                                            : nullptr;
    if (where == nullptr || i + 1 >= argc) return false;
    *where = argv[++i];
  }
  for (; i < argc; ++i) out.command.words.emplace_back(argv[i]);
  return true;
}

/// What is wrong with the words of a command that this program knows by itself; empty: nothing. A word too
/// many is refused and not passed over: `stop smtpd` must not stop everything.
std::string wrong_words(const std::vector<std::string>& words) {
  struct Verb {
    std::string_view word, option;  // the one option that may follow, if any
  };
  static constexpr Verb kVerbs[] = {{"start", "--foreground"}, {"stop", ""},   {"shutdown", ""},
                                    {"restart", ""},           {"reload", ""}, {"status", "--json"},
                                    {"check", "--dns"},        {"version", ""}};
  for (const Verb& verb : kVerbs) {
    if (words[0] != verb.word) continue;
    bool option = words.size() == 2 && !verb.option.empty() && words[1] == verb.option;
    if (words.size() == 1 || option) return {};
    if (verb.option.empty()) return fmt::format("{} takes no further word", verb.word);
    return fmt::format("{} takes {} and nothing else", verb.word, verb.option);
  }
  if (accounts::is_accounts_command(words)) return {};
  for (std::string_view word : {"queue", "mailq", "mailbox", "route", "trace", "help"})
    if (words[0] == word) return {};
  return fmt::format("there is no command '{}'", po::for_display(words[0]));
}

/// As an absolute path: the dispatcher reads it again at reload, from another working directory.
std::string absolute(const std::string& path) {
  char* real = realpath(path.c_str(), nullptr);
  std::string out = real != nullptr ? real : path;
  std::free(real);
  return out;
}

int run_restart(const po::config::Config& config, const CommandLine& command) {
  bool may_bind = geteuid() == 0;
  auto holder = lock_holder(config.run_path("pid"));
  if (!holder) return run_start(config, false);
  if (may_bind || access(config.run_path("pid").c_str(), W_OK) == 0) {
    if (int status = run_stop(config, command); status != 0) return status;
    return run_start(config, false);
  }
  auto socket = connect_to_system(config);
  if (!socket) {
    fmt::print(stderr, "post.office: the system does not answer\n");
    return kExitTemporary;
  }
  return run_on_system(config, std::move(*socket), command);  // the modules anew; the ports stay
}

int run_elsewhere(const po::config::Config& config, const CommandLine& command) {
  if (auto socket = connect_to_system(config)) return run_on_system(config, std::move(*socket), command);
  if (auto holder = lock_holder(config.run_path("pid"))) {
    fmt::print(stderr, "post.office: process {} runs, but its command socket does not answer\n", *holder);
    return kExitTemporary;
  }
  if (accounts::is_accounts_command(command.words)) return run_on_stopped_system(config, command);
  fmt::print(stderr, "post.office: not running; post.office start starts it\n");
  return 1;
}

int run(int argc, char** argv) {
  Options options;
  if (!parse_options(argc, argv, options)) return usage("unknown option, or an option without its word");
  std::vector<std::string>& words = options.command.words;
  if (words.empty()) return usage("what is to be done?");
  if (std::string why = wrong_words(words); !why.empty()) return usage(why);
  if (words[0] == "help") return std::fputs(kHelp, stdout) < 0 ? 1 : 0;
  if (words[0] == "version") {
    fmt::print("Post.Office {}\n", kVersion);
    return 0;
  }
  po::config::Parsed parsed = po::config::read(absolute(options.file));
  if (words[0] == "check") return words.size() == 2 ? run_dns_check(parsed) : run_check(parsed);
  for (const std::string& problem : parsed.problems) fmt::print(stderr, "{}\n", problem);
  if (!parsed.problems.empty()) return 1;
  const po::config::Config& config = parsed.config;
  if (words[0] == "trace") return run_trace(config, {words.begin() + 1, words.end()});
  if (words[0] == "start") return run_start(config, words.size() == 2);
  if (words[0] == "stop" || words[0] == "shutdown") return run_stop(config, options.command);
  if (words[0] == "restart") return run_restart(config, options.command);
  return run_elsewhere(config, options.command);
}

}  // namespace
}  // namespace dispatcher

int main(int argc, char** argv) {
  return dispatcher::run(argc, argv);
}
