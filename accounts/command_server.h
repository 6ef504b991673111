// Serves the command socket. Who may: root, members of the administrators' group, whoever gives the
// Postmaster's password; the suite's own uid only in a private instance, because every taken-over process of
// the suite would have it. account and form commands run in the writer's thread; start, stop and their like
// go to the dispatcher; queue and mailbox commands go to queue, and the connection with them. The peer is any
// local user: nothing it sends is kept before it is allowed, and memory and sessions are bounded.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "accounts/authenticate.h"
#include "accounts/commands.h"
#include "accounts/threads.h"
#include "lib/channel.h"
#include "lib/listener.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/messages.h"

namespace accounts {

/// Who is at the other end, as the kernel tells.
struct Peer {
  std::uint32_t uid = 0xffffffff;
  std::vector<std::uint32_t> groups;
};
[[nodiscard]] Peer peer_of(int socket);

enum class Standing { kAllowed, kNeedsPassword, kForbidden };
/// Pure. `own_uid` is the suite's; `admin_gid` 0xffffffff means that there is no such group.
[[nodiscard]] Standing standing_of(const Peer& peer, std::uint32_t own_uid, std::uint32_t admin_gid,
                                   bool private_instance);

/// A command for the log and for messages, up to the first word that may hold a password. Pure.
[[nodiscard]] std::string command_for_log(const std::vector<std::string>& words);

class CommandServer {
 public:
  struct Parts {
    const po::Loop& loop;
    po::Log& log;
    Administration& administration;
    Authenticator& authenticator;
    Threads& writer;
    /// To the dispatcher; the serial comes back with on_administered().
    std::function<std::uint32_t(po::messages::Verb)> administer;
    /// The serial is the client's, so that queue's answer carries it.
    std::function<void(std::uint32_t serial, const po::messages::PassCommand&, po::Fd)> pass;
    std::function<void()> changed;  ///< after each command that may have changed the directory
    std::uint32_t admin_gid = 0xffffffff;
    bool private_instance = false;
  };
  explicit CommandServer(Parts parts);
  ~CommandServer();

  void listen(po::Fd socket, std::uint32_t max_sessions);
  void on_administered(std::uint32_t serial, const po::messages::AdministerAnswer& answer);
  /// Takes no new connection; those that run go on.
  void stop();
  [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }

  static constexpr std::size_t kMostUnknownPeers = 16;  ///< sessions that are not allowed yet
  static constexpr std::chrono::seconds kIdle{60};

 private:
  struct Session;
  using Id = std::uint64_t;
  Session* find(Id id);
  void accept(po::Fd socket);
  bool on_frame(Id id, po::Frame& frame);
  bool take(Session& s, po::messages::Command& command);
  void ask_password(Session& s, std::string password);
  void dispatch(Session& s);
  void dispatch_to_dispatcher(Session& s);
  void dispatch_to_queue(Session& s);
  /// As the history of forms tells it.
  static Caller caller_of(const Session& s);
  void run(Session& s);
  void answer(Session& s, CommandResult result);
  void pump(Session& s);
  void close_later(Id id);

  Parts parts_;
  std::map<Id, std::unique_ptr<Session>> sessions_;
  std::map<std::uint32_t, Id> administering_;
  std::vector<std::unique_ptr<po::Listener>> listeners_;
  std::uint32_t max_sessions_ = 0;
  Id next_ = 1;
};

}  // namespace accounts
