#include "accounts/command_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

#include "tests/unit/accounts/fixture.h"

using accounts::Standing;
using po::messages::Command;
using po::messages::CommandOutput;

namespace {

struct Output {
  std::string out, err;
  int exit_code = -1;
  int frames = 0;
};

struct Bureau : Office {
  po::Loop loop;
  po::Log log;
  accounts::Threads writer{loop, 1};
  accounts::Authenticator authenticator{loop, *admin, writer, log, {}};
  std::vector<std::string> passed;
  int changes = 0;
  std::unique_ptr<accounts::CommandServer> server;

  explicit Bureau(bool private_instance = true) {
    server = std::make_unique<accounts::CommandServer>(accounts::CommandServer::Parts{
        .loop = loop,
        .log = log,
        .administration = *admin,
        .authenticator = authenticator,
        .writer = writer,
        .administer =
            [this](po::messages::Verb) {
              later.after(loop, std::chrono::milliseconds(1), [this] {
                server->on_administered(77, {po::Kind::kDone, "all is well"});
              });
              return 77U;
            },
        .pass =
            [this](std::uint32_t serial, const po::messages::PassCommand& c, po::Fd fd) {
              passed = c.words;
              CommandOutput output{"from queue\n", {}, true, 0};
              std::string frame = po::encode_frame(serial, output);
              REQUIRE(::write(fd.get(), frame.data(), frame.size()) == static_cast<ssize_t>(frame.size()));
            },
        .changed = [this] { ++changes; },
        .private_instance = private_instance});
    server->listen(bind(), 10);
  }

  po::Event later;
  sockaddr_un address() const {
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    (folder + "/command").copy(a.sun_path, sizeof a.sun_path - 1);
    return a;
  }
  po::Fd bind() {
    po::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un a = address();
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
    REQUIRE(::listen(fd.get(), 10) == 0);
    return fd;
  }

  /// A whole conversation, from a thread of its own.
  Output talk(const std::vector<Command>& commands) {
    Output output;
    std::thread client([&] {
      po::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_un a = address();
      if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&a), sizeof a) == 0)
        converse(std::move(fd), commands, output);
      done = true;
    });
    while (!done) event_base_loop(loop.base(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    client.join();
    done = false;
    return output;
  }
  static void converse(po::Fd fd, const std::vector<Command>& commands, Output& output) {
    po::BlockingChannel channel(std::move(fd));
    for (const Command& c : commands)
      if (!channel.send(9, c)) break;
    for (bool end = false; !end;) {
      auto frame = channel.receive(10);
      CommandOutput part;
      if (!frame || !frame->decode(part) || frame->serial != 9) return;
      output.out += part.out;
      output.err += part.err;
      output.exit_code = part.exit_code;
      ++output.frames;
      end = part.end;
    }
  }
  std::atomic<bool> done = false;
};

Command command(std::vector<std::string> words, std::string input = {}, bool more = false) {
  Command c;
  c.words = std::move(words);
  c.input = std::move(input);
  c.more = more;
  return c;
}

}  // namespace

TEST_CASE("who may use the command socket") {
  struct Row {
    accounts::Peer peer;
    bool private_instance;
    Standing standing;
  };
  constexpr std::uint32_t kMta = 100, kAdmin = 50;
  const Row rows[] = {
      {{0, {0}}, false, Standing::kAllowed},
      {{1000, {1000}}, false, Standing::kNeedsPassword},
      {{1000, {1000, kAdmin}}, false, Standing::kAllowed},
      {{kMta, {kMta, kAdmin}}, false, Standing::kForbidden},
      {{kMta, {kMta}}, true, Standing::kAllowed},
      {{1000, {1000}}, true, Standing::kNeedsPassword},
      {{}, false, Standing::kNeedsPassword},
  };
  for (const Row& row : rows)
    CHECK(accounts::standing_of(row.peer, kMta, kAdmin, row.private_instance) == row.standing);
  CHECK(accounts::standing_of({1000, {0xffffffff}}, kMta, 0xffffffff, false) == Standing::kNeedsPassword);
}

TEST_CASE("a command runs, its input may come in pieces, large output leaves in pieces") {
  Bureau bureau;
  std::string form = "User's-Real-Name: [x]\nInternet-Addresses: [x@y.org]\n";
  auto added =
      bureau.talk({command({"account", "add"}, form.substr(0, 10), true), command({}, form.substr(10))});
  CHECK(added.exit_code == 0);
  CHECK(added.out == "account 2 added: x@y.org\n");
  CHECK(bureau.changes == 1);
  std::string many;
  for (int i = 0; i < 20'000; ++i)
    many += "User's-Real-Name: [n]\nInternet-Addresses: [a" + std::to_string(i) + "@x.org]\n";
  CHECK(bureau.talk({command({"account", "add"}, many)}).exit_code == 0);
  auto listed = bureau.talk({command({"account", "list"})});
  CHECK(listed.exit_code == 0);
  CHECK(listed.frames > 1);
  CHECK(listed.out == bureau.good({"account", "list"}));
}

TEST_CASE("commands for others are handed on") {
  Bureau bureau;
  CHECK(bureau.talk({command({"status"})}).out == "all is well\n");
  CHECK(bureau.talk({command({"queue", "status"})}).out == "from queue\n");
  CHECK(bureau.passed == std::vector<std::string>{"queue", "status"});
  // More words than the dispatcher takes at once: it would take accounts for broken.
  Command many{{"queue", "retry"}, {}, false, {}};
  for (int i = 0; i < 50'000; ++i) many.words.emplace_back(20, 'a');
  Output refused = bureau.talk({many});
  CHECK(refused.exit_code == 64);
  CHECK(refused.err.find("too many words") != std::string::npos);
  CHECK(bureau.passed.size() == 2);
  CHECK(bureau.talk({command({"start"})}).exit_code == 0);
  CHECK(bureau.talk({command({"dance"})}).exit_code == 64);
  CHECK(bureau.talk({command({})}).exit_code == 64);
}

TEST_CASE("without rights a password is asked for") {
  if (::getuid() != 0) return;  // root alone can come as somebody else
  Bureau bureau(false);
  bureau.good({"account", "passwd", "postmaster"}, "Sur+Fer!\n");
  REQUIRE(::chmod(bureau.folder.c_str(), 0755) == 0);
  REQUIRE(::chmod((bureau.folder + "/command").c_str(), 0666) == 0);
  auto as_stranger = [&](Command c) {
    // The effective uid counts for SO_PEERCRED; the databases are open already.
    REQUIRE(::seteuid(65534) == 0);
    auto output = bureau.talk({std::move(c)});
    REQUIRE(::seteuid(0) == 0);
    return output;
  };
  CHECK(as_stranger(command({"form", "list"})).exit_code == 77);
  Command with = command({"form", "list"});
  with.password = "Sur+Fer!";
  CHECK(as_stranger(with).exit_code == 0);
  with.password = "guess1";
  CHECK(as_stranger(with).exit_code == 77);
}
