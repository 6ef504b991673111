#include "accounts/command_server.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <openssl/crypto.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "accounts/command_output.h"
#include "lib/net_address.h"
#include "lib/socket_options.h"
#include "lib/text.h"

namespace accounts {

using po::messages::Command;
using po::messages::Verb;

namespace {

constexpr std::uint32_t kNoGroup = 0xffffffff;

constexpr std::string_view kWhoMay =
    "only root, a member of the administrators' group, or who gives the Postmaster's password may do this\n";

struct ControlVerb {
  std::string_view word;
  bool json;
  Verb verb;
};
constexpr ControlVerb kControlVerbs[] = {
    {"stop", false, Verb::kStop},     {"shutdown", false, Verb::kStop}, {"restart", false, Verb::kRestart},
    {"reload", false, Verb::kReload}, {"status", false, Verb::kStatus}, {"status", true, Verb::kStatusJson}};

const ControlVerb* control_verb(const std::vector<std::string>& words) {
  bool json = words.size() == 2 && words[1] == "--json";
  if (words.size() != 1 && !json) return nullptr;
  for (const ControlVerb& v : kControlVerbs)
    if (v.word == words[0] && v.json == json) return &v;
  return nullptr;
}

bool is_queue_command(std::string_view word) {
  return word == "queue" || word == "mailq" || word == "mailbox" || word == "route";
}

/// The exit code of post.office for an outcome.
std::uint8_t exit_code(po::Kind kind) {
  if (kind == po::Kind::kDone) return 0;
  return kind == po::Kind::kPermanent ? kExitRefused : kExitTemporary;
}

}  // namespace

std::string command_for_log(const std::vector<std::string>& words) {
  constexpr std::size_t kRelayPasswordWords = 4;  // a fifth one may be a password in the wrong place
  std::string out;
  for (std::size_t i = 0; i < words.size() && out.size() <= 200; ++i) {
    bool may_be_one = i > 0 && po::ascii_lower(words[i]).find("password") != std::string::npos;
    if (words[0] == "relay-password") may_be_one = i >= kRelayPasswordWords;
    if (may_be_one) return out + " ...";
    out += (out.empty() ? "" : " ") + words[i];
  }
  return out;
}

Peer peer_of(int socket) {
  Peer peer;
  auto credentials = po::peer_credentials(socket);
  if (!credentials) return peer;
  peer.uid = credentials->uid;
  peer.groups.push_back(credentials->gid);
  std::vector<gid_t> groups(256);
  socklen_t octets = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &octets) != 0 && errno == ERANGE) {
    groups.resize(octets / sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &octets) != 0) octets = 0;
  }
  groups.resize(std::min<std::size_t>(groups.size(), octets / sizeof(gid_t)));
  peer.groups.insert(peer.groups.end(), groups.begin(), groups.end());
  return peer;
}

Standing standing_of(const Peer& peer, std::uint32_t own_uid, std::uint32_t admin_gid,
                     bool private_instance) {
  if (peer.uid == 0) return Standing::kAllowed;
  // Before the groups: the suite's processes must not come in by a group either.
  if (peer.uid == own_uid) return private_instance ? Standing::kAllowed : Standing::kForbidden;
  bool member = admin_gid != kNoGroup &&
                std::find(peer.groups.begin(), peer.groups.end(), admin_gid) != peer.groups.end();
  return member ? Standing::kAllowed : Standing::kNeedsPassword;
}

struct CommandServer::Session {
  Id id = 0;
  enum class State { kReading, kChecking, kWorking, kAnswering } state = State::kReading;
  Standing standing = Standing::kNeedsPassword;
  Peer peer;
  std::unique_ptr<po::Channel> channel;
  po::Fd copy;  ///< of the connection, to pass it on to queue
  std::uint32_t serial = 0;
  bool begun = false, complete = false;
  bool by_password = false;  ///< allowed because of the Postmaster's password
  std::vector<std::string> words;
  std::string input;
  CommandOutput output;
  po::Event idle, again;
};

CommandServer::CommandServer(Parts parts) : parts_(std::move(parts)) {}
CommandServer::~CommandServer() = default;

void CommandServer::listen(po::Fd socket, std::uint32_t max_sessions) {
  max_sessions_ = max_sessions == 0 ? 100 : max_sessions;
  listeners_.push_back(std::make_unique<po::Listener>(
      parts_.loop, std::move(socket),
      [this](po::Fd s, const po::messages::NetAddress&) { accept(std::move(s)); }));
}

void CommandServer::stop() {
  for (auto& l : listeners_) l->stop();
}

CommandServer::Session* CommandServer::find(Id id) {
  auto at = sessions_.find(id);
  return at == sessions_.end() ? nullptr : at->second.get();
}

void CommandServer::accept(po::Fd socket) {
  Peer peer = peer_of(socket.get());
  Standing standing = standing_of(peer, ::getuid(), parts_.admin_gid, parts_.private_instance);
  std::size_t strangers = 0;
  for (const auto& [id, s] : sessions_) strangers += s->standing != Standing::kAllowed;
  if (sessions_.size() >= max_sessions_) return;
  if (standing != Standing::kAllowed && strangers >= kMostUnknownPeers) return;
  po::Fd copy(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy) return;
  auto session = std::make_unique<Session>();
  Id id = next_++;
  session->id = id;
  session->standing = standing;
  session->peer = std::move(peer);
  session->copy = std::move(copy);
  session->channel = std::make_unique<po::Channel>(
      parts_.loop, std::move(socket), [this, id](po::Frame& f) { return on_frame(id, f); },
      [this, id](std::string_view) { sessions_.erase(id); });
  session->idle.after(parts_.loop, kIdle, [this, id] { sessions_.erase(id); });
  sessions_.emplace(id, std::move(session));
}

bool CommandServer::on_frame(Id id, po::Frame& frame) {
  Session* s = find(id);
  Command command;
  if (!s || !frame.decode(command)) return false;
  if (s->state == Session::State::kAnswering) return true;  // refused already; it has not read that yet
  if (s->state != Session::State::kReading || s->complete) return false;
  s->serial = frame.serial;
  return take(*s, command);
}

bool CommandServer::take(Session& s, Command& command) {
  s.idle.after(parts_.loop, kIdle);
  if (s.input.size() + command.input.size() > kMostInput) {
    answer(s, {{}, fmt::format("standard input is larger than {} octets\n", kMostInput), kExitRefused});
    return true;
  }
  bool first = !s.begun;
  if (first) s.words = std::move(command.words);
  s.begun = true;
  s.input += command.input;
  s.complete = !command.more;
  if (s.standing == Standing::kForbidden || (s.standing != Standing::kAllowed && command.password.empty())) {
    parts_.log.event("command-refused").kv("uid", s.peer.uid).kv("command", command_for_log(s.words));
    answer(s, {{}, std::string(kWhoMay), kExitNotAllowed});
  } else if (s.standing != Standing::kAllowed) {
    ask_password(s, std::move(command.password));
  } else if (s.complete) {
    dispatch(s);
  }
  return true;
}

/// Nothing more is read until the password proved right.
void CommandServer::ask_password(Session& s, std::string password) {
  s.state = Session::State::kChecking;
  s.channel->pause_reading();
  po::messages::Authenticate ask;
  ask.login = "Postmaster";
  ask.password = std::move(password);
  ask.client = po::parse_address("127.0.0.1").value_or(po::messages::NetAddress{});
  ask.name_looked_up = true;
  ask.session = fmt::format("command.{}", s.id);
  parts_.authenticator.authenticate_account(
      directory::kPostmaster, Service::kCommand, std::move(ask),
      [this, id = s.id](const po::messages::Verdict& verdict) {
        Session* asked = find(id);
        if (!asked) return;
        if (verdict.answer != po::messages::Answer::kGranted) {
          bool busy = verdict.answer == po::messages::Answer::kUnavailable ||
                      verdict.answer == po::messages::Answer::kTooMany;
          return answer(
              *asked, busy ? CommandResult{{}, "passwords cannot be checked now; try again\n", kExitTemporary}
                           : CommandResult{{}, std::string(kWhoMay), kExitNotAllowed});
        }
        asked->standing = Standing::kAllowed;
        asked->by_password = true;
        asked->state = Session::State::kReading;
        asked->channel->resume_reading();
        if (asked->complete) dispatch(*asked);
      });
}

void CommandServer::dispatch(Session& s) {
  s.state = Session::State::kWorking;
  s.idle.cancel();
  parts_.log.event("command").kv("uid", s.peer.uid).kv("command", command_for_log(s.words));
  if (s.words.empty()) return answer(s, {{}, "post.office: no command was given\n", kExitUsage});
  const std::string& word = s.words[0];
  if (is_accounts_command(s.words)) return run(s);
  if (is_queue_command(word)) return dispatch_to_queue(s);
  if (word == "start") return answer(s, {"the mail system is running\n", {}, 0});
  dispatch_to_dispatcher(s);
}

void CommandServer::dispatch_to_dispatcher(Session& s) {
  const ControlVerb* verb = control_verb(s.words);
  if (!verb)
    return answer(
        s, {{},
            fmt::format("post.office: there is no command '{}'\n", po::for_display(command_for_log(s.words))),
            kExitUsage});
  administering_[parts_.administer(verb->verb)] = s.id;
  s.idle.after(parts_.loop, kIdle, [this, id = s.id] {
    if (Session* late = find(id)) answer(*late, {{}, "the dispatcher does not answer\n", kExitTemporary});
  });
}

void CommandServer::on_administered(std::uint32_t serial, const po::messages::AdministerAnswer& done) {
  auto at = administering_.find(serial);
  if (at == administering_.end()) return;
  Session* s = find(at->second);
  administering_.erase(at);
  if (!s || s->state != Session::State::kWorking) return;
  bool good = done.kind == po::Kind::kDone;
  std::string text = done.text.empty() || done.text.ends_with('\n') ? done.text : done.text + "\n";
  answer(*s, {good ? text : "", good ? "" : text, exit_code(done.kind)});
}

void CommandServer::dispatch_to_queue(Session& s) {
  po::messages::PassCommand command{s.words};
  if (!po::fits(command))
    return answer(
        s, {{}, "post.office: these are too many words for one command; give them in several\n", kExitUsage});
  parts_.pass(s.serial, command, std::move(s.copy));
  close_later(s.id);
}

Caller CommandServer::caller_of(const Session& s) {
  Caller caller;
  caller.way = "command";
  caller.administrator = !s.by_password;
  if (s.by_password) {
    caller.account = directory::kPostmaster;
    caller.who = fmt::format("Postmaster (uid {})", s.peer.uid);
  } else {
    caller.who = s.peer.uid == 0 ? std::string("root") : fmt::format("uid {}", s.peer.uid);
  }
  return caller;
}

void CommandServer::run(Session& s) {
  parts_.authenticator.sign_ins().flush();  // the command may show them
  struct Job {
    Caller caller;
    std::vector<std::string> words;
    std::string input;
    CommandResult result;
  };
  auto job = std::make_shared<Job>();
  job->caller = caller_of(s);
  job->words = std::move(s.words);
  job->input = std::move(s.input);
  parts_.writer.run([&admin = parts_.administration,
                     job] { job->result = run_command(admin, job->caller, job->words, job->input); },
                    [this, id = s.id, job] {
                      OPENSSL_cleanse(job->input.data(), job->input.size());
                      parts_.changed();
                      if (Session* asked = find(id)) answer(*asked, std::move(job->result));
                    });
}

void CommandServer::answer(Session& s, CommandResult result) {
  s.state = Session::State::kAnswering;
  s.complete = true;
  s.output = CommandOutput(std::move(result));
  pump(s);
}

/// Sends as much as the channel should hold; a client that does not read is dropped after a while.
void CommandServer::pump(Session& s) {
  if (s.output.send_some(*s.channel, s.serial))
    s.idle.after(parts_.loop, kIdle, [this, id = s.id] { close_later(id); });
  if (s.output.all_sent()) return;  // the client closes when it has read the last frame
  s.again.after(parts_.loop, CommandOutput::kAgain, [this, id = s.id] {
    if (Session* more = find(id)) pump(*more);
  });
}

/// Never from inside the session's own channel: it may be in the middle of a frame.
void CommandServer::close_later(Id id) {
  Session* s = find(id);
  if (!s) return;
  s->state = Session::State::kAnswering;
  s->again.after(parts_.loop, std::chrono::milliseconds(0), [this, id] { sessions_.erase(id); });
}

}  // namespace accounts
