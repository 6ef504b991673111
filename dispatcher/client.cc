#include "dispatcher/client.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "accounts/commands.h"
#include "dispatcher/run_state.h"
#include "lib/channel.h"

namespace dispatcher {

using po::Fd;
using po::permanent;
using po::Result;
using po::config::Config;

static constexpr std::size_t kInputPiece = 8ULL << 20;  // of one frame
static constexpr int kAnswerSeconds = 3600;             // a long import
static constexpr int kStopSeconds = 15;

// ---- input

/// One line, without its end; no echo if `hidden`.
static Result<std::string> ask(const char* prompt, bool hidden) {
  Fd tty(open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (!tty) return permanent("there is no terminal to ask on", errno);
  termios before{};
  bool restore = hidden && tcgetattr(tty.get(), &before) == 0;
  if (restore) {
    termios quiet = before;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(tty.get(), TCSAFLUSH, &quiet);
  }
  [[maybe_unused]] ssize_t w = write(tty.get(), prompt, std::strlen(prompt));
  std::string line;
  char c = 0;
  while (line.size() < 4096 && read(tty.get(), &c, 1) == 1 && c != '\n') line += c;
  if (restore) {
    tcsetattr(tty.get(), TCSAFLUSH, &before);
    w = write(tty.get(), "\n", 1);
  }
  return line;
}

static Result<std::string> ask_new_password() {
  auto first = ask("New password: ", true);
  if (!first) return first;
  auto second = ask("Once more: ", true);
  if (second && *first != *second) return permanent("the two are not the same; nothing has been changed");
  if (!second) return second;
  return *first + "\n";
}

static Result<std::string> read_all(int fd, std::size_t limit) {
  std::string text;
  char piece[65536];
  while (true) {
    ssize_t n = read(fd, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return permanent("the input cannot be read", errno);
    if (n == 0) return text;
    text.append(piece, static_cast<std::size_t>(n));
    if (text.size() > limit) return permanent(fmt::format("the input is larger than {} octets", limit));
  }
}

Result<std::string> read_input(const std::vector<std::string>& words) {
  bool password = accounts::reads_password(words);
  if (password && isatty(0)) return ask_new_password();
  if (isatty(0)) std::fputs("Reading from the terminal; end with Ctrl-D.\n", stderr);
  return read_all(0, password ? 4096 : accounts::kMostInput);
}

static Result<std::string> read_password_file(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return permanent(fmt::format("{} cannot be opened", path), errno);
  auto text = read_all(fd.get(), 4096);
  if (text) text->erase(std::min(text->find_first_of("\r\n"), text->size()));
  return text;
}

// ---- talking

static std::string command_socket(const Config& config) {
  for (const auto& service : config.services) {
    if (!service.off && service.protocol == po::messages::Protocol::kCommand)
      return service.listen.front().path;
  }
  return config.run_path("command");
}

std::optional<Fd> connect_to_system(const Config& config) {
  std::string path = command_socket(config);
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), std::min(path.size(), sizeof un.sun_path - 1));
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || connect(fd.get(), reinterpret_cast<sockaddr*>(&un), sizeof un) != 0) return {};
  return fd;
}

static Result<void> send_command(po::BlockingChannel& channel, const CommandLine& command,
                                 const std::string& input, const std::string& password) {
  po::messages::Command frame;
  frame.words = command.words;
  frame.password = password;
  std::size_t at = 0;
  do {
    frame.input = input.substr(at, kInputPiece);
    at += frame.input.size();
    frame.more = at < input.size();
    if (auto sent = channel.send(1, frame); !sent) return sent;
    frame.words.clear();
    frame.password.clear();
  } while (frame.more);
  return {};
}

/// Prints until the end; the exit status. With `quiet_refusal` a refusal for want of a password is not
/// printed.
static int print_answer(po::BlockingChannel& channel, bool quiet_refusal) {
  while (true) {
    auto frame = channel.receive(kAnswerSeconds);
    po::messages::CommandOutput out;
    if (!frame) {
      fmt::print(stderr, "post.office: the system gave no answer ({}); post.office status tells how it is\n",
                 frame.error().text);
      return kExitTemporary;
    }
    if (!frame->decode(out)) {
      fmt::print(stderr, "post.office: the system is of another version: restart it\n");
      return kExitTemporary;
    }
    if (out.end && out.exit_code == kExitNotAllowed && quiet_refusal) return kExitNotAllowed;
    std::fwrite(out.out.data(), 1, out.out.size(), stdout);
    std::fflush(stdout);
    std::fwrite(out.err.data(), 1, out.err.size(), stderr);
    if (out.end) return out.exit_code;
  }
}

static int attempt(Fd socket, const CommandLine& command, const std::string& input,
                   const std::string& password, bool quiet_refusal) {
  po::BlockingChannel channel(std::move(socket));
  // A refusal may come, and the connection go, before all input is sent: then the answer is what counts.
  if (auto sent = send_command(channel, command, input, password); !sent && sent.error().sys_errno != EPIPE) {
    fmt::print(stderr, "post.office: {}\n", sent.error().text);
    return kExitTemporary;
  }
  return print_answer(channel, quiet_refusal);
}

int run_on_system(const Config& config, Fd socket, const CommandLine& command) {
  std::string input, password;
  if (!command.password_file.empty()) {
    auto read = read_password_file(command.password_file);
    if (!read) {
      fmt::print(stderr, "post.office: {}\n", read.error().text);
      return 1;
    }
    password = *read;
  }
  if (accounts::reads_input(command.words)) {
    auto read = read_input(command.words);
    if (!read) {
      fmt::print(stderr, "post.office: {}\n", read.error().text);
      return 1;
    }
    input = std::move(*read);
  }
  bool may_ask = password.empty() && isatty(2) != 0;
  int status = attempt(std::move(socket), command, input, password, may_ask);
  if (status != kExitNotAllowed || !may_ask) return status;
  auto asked = ask("Postmaster's password: ", true);
  auto again = asked && !asked->empty() ? connect_to_system(config) : std::nullopt;
  if (!again) {
    fmt::print(stderr, "post.office: not allowed\n");
    return kExitNotAllowed;
  }
  return attempt(std::move(*again), command, input, *asked, false);
}

// ---- stop

static bool wait_until_gone(const std::string& pid_path) {
  for (int i = 0; i < kStopSeconds * 20; ++i) {
    if (!lock_holder(pid_path)) return true;
    usleep(50'000);
  }
  return false;
}

int run_stop(const Config& config, const CommandLine& command) {
  std::string pid_path = config.run_path("pid");
  auto holder = lock_holder(pid_path);
  if (!holder) {
    fmt::print(stderr, "post.office: not running\n");
    return 1;
  }
  // The kernel says who holds the lock, so the signal goes to a dispatcher of this spool and to nobody else.
  if (kill(*holder, SIGTERM) != 0) {
    auto socket = connect_to_system(config);
    if (!socket) {
      fmt::print(stderr, "post.office: process {} cannot be told to stop: {}\n", *holder,
                 std::strerror(errno));
      return kExitNotAllowed;
    }
    CommandLine stop = command;
    stop.words = {"stop"};
    if (int status = run_on_system(config, std::move(*socket), stop); status != 0) return status;
  }
  if (wait_until_gone(pid_path)) return 0;
  fmt::print(stderr, "post.office: process {} is still there after {} seconds\n", *holder, kStopSeconds);
  return 1;
}

}  // namespace dispatcher
