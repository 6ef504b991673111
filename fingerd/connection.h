// One client's connection: octets of its Stream become events of its Session, and the Desk's answer becomes
// octets. Each step has its time: 10 s for the query, 10 s for the client's name if that must be known, a
// minute to take the answer. Owned by Server.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "fingerd/desk.h"
#include "fingerd/session.h"
#include "lib/dns.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/stream.h"

namespace fingerd {

/// Counted over all sessions since the start.
struct Totals {
  std::uint64_t answered = 0;
  std::uint64_t failures = 0;
};

/// What all connections of the process share.
struct Surroundings {
  const po::Loop& loop;
  po::Log& log;
  const Desk& desk;
  po::Resolver& resolver;
  Totals& totals;
};

struct Client {
  std::uint64_t number = 0;  ///< of the connection, in this process
  std::string session;       ///< id for the log
  po::messages::NetAddress address;
};

class Connection final : public po::StreamHandler {
 public:
  using OnGone = std::function<void(std::uint64_t number)>;  ///< last call; destroys the connection

  /// How long the client may take over its query, and DNS over the client's name.
  static constexpr std::chrono::seconds kQueryLimit{10};
  /// How long the client may take over the whole answer.
  static constexpr std::chrono::seconds kAnswerLimit{60};

  Connection(const Surroundings& surroundings, Client client, std::shared_ptr<const Access> access,
             std::shared_ptr<const directory::Settings> settings, po::Fd socket, OnGone on_gone);

  void stop();

  std::size_t on_input(std::string_view input) override;
  void on_end_of_input() override;
  void on_idle() override {}  // no idle limit is set: each step has its own
  void on_closed(std::string_view why) override;

 private:
  void perform(const Action& action);
  void act(const Nothing&) {}
  void act(const LookUpName&);
  void act(const FindAnswer&);
  void act(const Refuse& action);
  void end(std::string_view text);
  void on_time_limit();
  void log(const char* outcome, std::uint64_t account);

  Surroundings around_;
  Client client_;
  std::shared_ptr<const directory::Settings> settings_;
  OnGone on_gone_;
  Session session_;
  po::Stream stream_;
  po::DnsQuestion name_question_;
  po::Event time_limit_;
};

}  // namespace fingerd
