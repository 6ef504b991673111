#include "lib/inetd.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "lib/channel.h"
#include "lib/socket_options.h"

namespace po::inetd {

static constexpr int kClient = 0;
static constexpr int kConnectSeconds = 10;
static constexpr int kAnswerSeconds = 20;  // longer than the dispatcher looks for a process

std::optional<Arguments> parse(int argc, const char* const* argv) {
  if (argc < 3 || argc > 4 || std::string_view(argv[1]) != "--inetd") return {};
  Arguments out;
  out.service = argv[2];
  if (argc == 4) out.spool = argv[3];
  bool good = !out.service.empty() && out.service.size() <= 32 && out.spool.starts_with('/') &&
              out.socket().size() < sizeof sockaddr_un::sun_path;
  return good ? std::optional(std::move(out)) : std::nullopt;
}

bool is_tcp_connection(int fd) {
  auto domain = socket_option(fd, SO_DOMAIN);
  return (domain == AF_INET || domain == AF_INET6) && socket_option(fd, SO_TYPE) == SOCK_STREAM &&
         socket_option(fd, SO_ACCEPTCONN) == 0;
}

static bool is_same_file(int a, int b) {
  struct stat sa {
  }, sb{};
  return ::fstat(a, &sa) == 0 && ::fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/// inetd gives the client's connection as 0, 1 and 2 alike; what is for the administrator must not go there.
static void complain(std::string_view program, std::string_view why) {
  if (is_same_file(kClient, 2)) return;
  std::string line = std::string(program) + ": " + std::string(why) + "\n";
  [[maybe_unused]] ssize_t n = ::write(2, line.data(), line.size());
}

static void set_timeout(int fd, int what, int seconds) {
  timeval limit{seconds, 0};
  ::setsockopt(fd, SOL_SOCKET, what, &limit, sizeof limit);
}

/// Says it and lets the client read it: a connection that is closed with unread octets is reset, and the
/// words with it. MSG_TRUNC throws those octets away in the kernel.
static void tell_client(std::string_view refusal) {
  set_timeout(kClient, SO_RCVTIMEO, 1);
  if (::send(kClient, refusal.data(), refusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return;
  ::shutdown(kClient, SHUT_WR);
  for (int i = 0; i < 16 && ::recv(kClient, nullptr, 65536, MSG_TRUNC) > 0; ++i) continue;
}

static Result<Fd> connect_to_dispatcher(const std::string& path) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return temporary("socket", errno);
  set_timeout(fd.get(), SO_SNDTIMEO, kConnectSeconds);  // of connect() too, while the backlog is full
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), path.size());
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&un), sizeof un) != 0) return temporary(path, errno);
  return fd;
}

static Result<void> hand_over(const Arguments& arguments) {
  auto socket = connect_to_dispatcher(arguments.socket());
  if (!socket) return tl::unexpected(socket.error());
  BlockingChannel dispatcher(std::move(*socket));
  auto sent = dispatcher.send_with(kClient, 1, messages::HandOver{arguments.service});
  if (!sent) return sent;
  auto received = dispatcher.receive(kAnswerSeconds);
  if (!received) return tl::unexpected(received.error());
  messages::HandOverAnswer answer;
  if (!received->decode(answer)) return temporary("the dispatcher is of another version: restart it");
  if (answer.kind == Kind::kDone) return {};
  return tl::unexpected(Error{answer.kind, 0, answer.text});
}

/// No new-privs and no signal that a client could cause; then the one thing.
static int run(std::string_view program, const std::optional<Arguments>& arguments,
               std::string_view refusal) {
  ::signal(SIGPIPE, SIG_IGN);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (!is_tcp_connection(kClient)) {
    complain(program, "standard input is not a client's TCP connection; in inetd.conf: stream tcp nowait");
    return kExitUsage;
  }
  if (!arguments) {
    complain(program, "the arguments are: --inetd SERVICE [SPOOL-DIRECTORY]");
    tell_client(refusal);
    return kExitUsage;
  }
  auto done = hand_over(*arguments);
  if (done) return 0;
  complain(program, done.error().text);
  tell_client(refusal);
  return kExitTemporary;
}

std::optional<int> run_if_asked(int argc, const char* const* argv, std::string_view refusal) {
  if (argc < 2) return {};
  return run(argv[0], parse(argc, argv), refusal);
}

}  // namespace po::inetd
